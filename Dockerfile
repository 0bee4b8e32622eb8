# The container worker: `docker build -t sqswarm .`, then FROM it in your own project, where your
# agents and your pyproject.toml go into /app (docs/container.md).
# Python 3.12.14 on Debian trixie; to move on: `docker buildx imagetools inspect python:3.12-slim`.
FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY schemas schemas
COPY backends backends
COPY dispatcher dispatcher
COPY workers workers
COPY infra infra
COPY testing testing
COPY localstack localstack
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --compile /wheels/*.whl && rm -r /wheels \
    && useradd --create-home --uid 10001 worker
USER worker
WORKDIR /app
ENV PYTHONUNBUFFERED=1
# In exec form: SIGTERM reaches the worker itself, which then drains.
ENTRYPOINT ["sqswarm", "work"]
