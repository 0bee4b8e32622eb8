# The container worker: `docker build -t sqswarm .`, then FROM it in your own project, where your
# agents and your pyproject.toml go into /app (docs/container.md).
FROM python:3.12-slim AS build
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

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --compile /wheels/*.whl && rm -r /wheels \
    && useradd --create-home --uid 10001 worker
USER worker
WORKDIR /app
ENV PYTHONUNBUFFERED=1
# In exec form: SIGTERM reaches the worker itself, which then drains.
ENTRYPOINT ["sqswarm", "work"]
