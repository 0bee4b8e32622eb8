"""Tracing: OpenTelemetry where the environment asks for it. Else nothing of it is imported.

What is asked for is OpenTelemetry's own: an endpoint in OTEL_EXPORTER_OTLP_ENDPOINT (or
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT), or an exporter in OTEL_TRACES_EXPORTER.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqswarm.backends.log import Log

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


_FLUSH_S = 2.0
"""Longest time that whoever is frozen or ends next waits for its spans to be sent."""


class _State:
    started = False
    xray = False


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment asks for traces."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    return exporter != "none" if exporter else any(environment.get(name) for name in _ENDPOINTS)


def start_tracing(environment: Mapping[str, str], *, log: Log | None = None) -> None:
    """Trace from now on, where the environment asks for it; for entrypoints and clients.

    What keeps it from tracing is logged (`tracing.failed`), and harms nobody.
    """
    if not is_wanted(environment):
        return
    try:
        from sqswarm.dispatcher.otel import start

        start(environment)
    except ImportError as error:
        why = f"{error}: install sqswarm[otel]; for AWS, set tracing in [tool.sqswarm]"
        (log or Log()).warning("tracing.failed", error=why)
    except Exception as error:
        (log or Log()).warning("tracing.failed", error=repr(error))
    else:
        _State.started = True
        propagators = environment.get("OTEL_PROPAGATORS", "").split(",")
        _State.xray = "xray" in {name.strip() for name in propagators}


def is_tracing() -> bool:
    """Tell whether `start_tracing` has begun to trace."""
    return _State.started


async def flush_traces() -> None:
    """Send what has ended, for 2 s at most: before a function is frozen, or a process ends."""
    if _State.started:
        from sqswarm.dispatcher.otel import flush

        await flush(_FLUSH_S)


def follows_xray() -> bool:
    """Tell whether traces of AWS X-Ray are continued: `xray` is among OTEL_PROPAGATORS."""
    return _State.xray
