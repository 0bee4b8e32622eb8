"""Provider: OpenTelemetry's SDK as OTEL_* configures it, unless the process has set one up already.

Two things stand before its exporter. Spans of an attempt wait for the attempt's end: those of a
worker that is killed go with it, rather than hang on a span that never comes. And secrets are
hidden, whoever made the span.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from threading import Lock
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from sqswarm.backends.redact import hide, hide_all
from sqswarm.dispatcher.middleware import add_middleware, added
from sqswarm.dispatcher.otel.middleware import ATTEMPT, Tracing
from sqswarm.dispatcher.otel.middleware import flush as flush_provider

_GROUP = "opentelemetry_traces_exporter"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_HELD_LIMIT = 2_000
"""Spans of one attempt that wait for its end; what is more goes out at once."""


def start(environment: Mapping[str, str]) -> None:
    """Set up the SDK, where nobody has, and trace; once a process, whoever began it.

    Raises ValueError for an exporter or a protocol that is not installed.
    """
    if any(isinstance(one, Tracing) for one in added()):
        return
    provider: Any = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        provider = provider_of(environment)
        trace.set_tracer_provider(provider)
    add_middleware(Tracing(provider))


async def flush(timeout_s: float) -> None:
    """Send what has ended, for so long at most, where this process traces."""
    for one in added():
        if isinstance(one, Tracing):
            await flush_provider(one.provider, timeout_s)


def provider_of(environment: Mapping[str, str]) -> TracerProvider:
    """Return a provider; the SDK itself reads sampler, limits and resource from the environment."""
    named = "OTEL_SERVICE_NAME" in environment or SERVICE_NAME in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    service = environment.get("AWS_LAMBDA_FUNCTION_NAME") or "sqswarm"
    provider = TracerProvider(resource=Resource.create({} if named else {SERVICE_NAME: service}))
    for name in (environment.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        exporter = RedactingExporter(_exporter(name.strip().lower(), environment))
        provider.add_span_processor(HoldBack(BatchSpanProcessor(exporter)))
    return provider


def _exporter(name: str, environment: Mapping[str, str]) -> SpanExporter:
    if name == "otlp":
        said = next((environment[one] for one in _PROTOCOLS if environment.get(one)), None)
        name = _OTLP.get(said or "http/protobuf", said or "")
    for found in entry_points(group=_GROUP, name=name):
        exporter: SpanExporter = found.load()()
        return exporter
    message = f"no exporter {name!r} is installed (OTEL_TRACES_EXPORTER, {_PROTOCOLS[1]})"
    raise ValueError(message)


class HoldBack(SpanProcessor):
    """Gives the spans below an attempt to the next processor when the attempt has ended."""

    def __init__(self, following: SpanProcessor) -> None:
        """Stand before `following`."""
        self._following = following
        self._lock = Lock()
        self._attempt_of: dict[int, int] = {}
        self._held: dict[int, list[ReadableSpan]] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note which attempt a span is below."""
        self._following.on_start(span, parent_context)
        span_id = span.get_span_context().span_id
        with self._lock:
            if span.attributes and ATTEMPT in span.attributes and span.end_time is None:
                self._held[span_id] = []
            elif span.parent and (above := self._above(span.parent.span_id)) in self._held:
                self._attempt_of[span_id] = above

    def _above(self, span_id: int) -> int:
        return self._attempt_of.get(span_id, span_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Hold it, or let it go with all that its attempt held."""
        span_id = span.context.span_id if span.context else 0
        with self._lock:
            attempt = self._attempt_of.pop(span_id, None)
            held = self._held.get(attempt) if attempt is not None else None
            if held is not None and len(held) < _HELD_LIMIT:
                held.append(span)
                return
            freed = [*self._held.pop(span_id, ()), span]
        for one in freed:
            self._following.on_end(one)

    def shutdown(self) -> None:
        """Let go of what is held, and close."""
        with self._lock:
            left = [span for held in self._held.values() for span in held]
            self._held.clear()
        for span in left:
            self._following.on_end(span)
        self._following.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was let go."""
        return self._following.force_flush(timeout_millis)


class RedactingExporter(SpanExporter):
    """Hides secrets in names, attributes, events and errors, before anything leaves the process."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Stand before `exporter`."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export the spans without secrets."""
        return self._exporter.export([_redacted(span) for span in spans])

    def shutdown(self) -> None:
        """Close the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter."""
        return self._exporter.force_flush(timeout_millis)


def _redacted(span: ReadableSpan) -> ReadableSpan:
    said = (
        span.name,
        _plain(span.attributes),
        [(event.name, _plain(event.attributes)) for event in span.events],
        span.status.description,
    )
    hidden = hide_all(said)
    if hidden == _listed(said):
        return span
    return ReadableSpan(
        name=hide(span.name),
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=hidden[1],
        events=[
            Event(name, attributes, event.timestamp)
            for event, (name, attributes) in zip(span.events, hidden[2], strict=True)
        ],
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code, hidden[3]),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return dict(attributes or {})


def _listed(value: Any) -> Any:
    """Return a value with lists for tuples, as `hide_all` returns it."""
    if isinstance(value, list | tuple):
        return [_listed(one) for one in value]
    return {n: _listed(v) for n, v in value.items()} if isinstance(value, dict) else value
