"""Spans: a tracer whose spans may be given their ids, and contexts made of trace contexts."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
)
from opentelemetry.trace.span import TraceState

from sqswarm.backends.redact import hide
from sqswarm.schemas.ids import begins_trace, is_undecided, span_id_of

SCOPE = "sqswarm"
_ERROR_CHARACTERS = 1000
_NS = 1_000_000


class _Ids(IdGenerator):
    """Another generator's ids, but for the spans that are given theirs."""

    def __init__(self, others: IdGenerator) -> None:
        self._others = others
        self.given = threading.local()

    def generate_span_id(self) -> int:
        return getattr(self.given, "span_id", None) or self._others.generate_span_id()

    def generate_trace_id(self) -> int:
        return getattr(self.given, "trace_id", None) or self._others.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        given = getattr(self.given, "trace_id", None)
        return given is None and self._others.is_trace_id_random()


class Spans:
    """Makes the spans of one provider; times are Unix milliseconds.

    The SDK's own tracers take ids; with another implementation of the API the spans get fresh ones.
    """

    def __init__(self, provider: TracerProvider) -> None:
        """Take a tracer of `provider`."""
        # Logfire stands before the SDK's provider, and keeps it under this name.
        behind = getattr(provider, "provider", provider)
        tracer: Any = (behind if hasattr(behind, "get_tracer") else provider).get_tracer(SCOPE)
        self._tracer = tracer
        self._ids: _Ids | None = None
        if isinstance(getattr(tracer, "id_generator", None), IdGenerator):
            self._ids = tracer.id_generator = _Ids(tracer.id_generator)

    def begin(
        self,
        name: str,
        parent: Context,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        at_ms: int | None = None,
        span_id: str | None = None,
        trace_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] = (),
    ) -> Span:
        """Begin a span below `parent`; `trace_id` counts where it has none."""
        given = self._ids.given if self._ids else threading.local()
        given.span_id = None if span_id is None else int(span_id, 16)
        given.trace_id = None if trace_id is None else int(trace_id, 16)
        try:
            span: Span = self._tracer.start_span(
                hide(name),
                context=parent,
                kind=kind,
                attributes={k: v for k, v in (attributes or {}).items() if v is not None},
                links=links,
                start_time=None if at_ms is None else at_ms * _NS,
            )
        finally:
            given.span_id = given.trace_id = None
        return span

    def caller(self, traceparent: str, tracestate: str | None) -> tuple[Context, str | None]:
        """Return the context that a task's own span is below, and the trace that it begins."""
        if begins_trace(traceparent):
            return Context(), traceparent[3:35]
        return self._remote(traceparent, traceparent[36:52], tracestate), None

    def within(self, traceparent: str, tracestate: str | None, task_id: str) -> Context:
        """Return the context below a task's own span, which is made at its end.

        That of its caller, where spans cannot be given ids.
        """
        if self._ids is None:
            return self._remote(traceparent, traceparent[36:52], tracestate)
        return self._remote(traceparent, span_id_of(task_id), tracestate)

    def _remote(self, traceparent: str, span_id: str, tracestate: str | None) -> Context:
        context = SpanContext(
            trace_id=int(traceparent[3:35], 16),
            span_id=int(span_id, 16),
            is_remote=True,
            trace_flags=TraceFlags(self._flags(traceparent)),
            trace_state=TraceState.from_header([tracestate]) if tracestate else None,
        )
        return trace.set_span_in_context(NonRecordingSpan(context), Context())

    def _flags(self, traceparent: str) -> int:
        """Return whether a trace is kept: its caller's word, or what its id alone comes to.

        The same wherever the sampler is the same, so no span is kept whose parent is not.
        """
        flags = int(traceparent[53:], 16) & TraceFlags.SAMPLED
        sampler = getattr(self._tracer, "sampler", None)
        if not flags or sampler is None or not is_undecided(traceparent):
            return flags
        trace_id = int(traceparent[3:35], 16)
        decided = sampler.should_sample(Context(), trace_id, "task", SpanKind.INTERNAL)
        return int(decided.decision.is_sampled())


def traceparent_of(span: Span) -> tuple[str, str | None]:
    """Return a span's trace context as it travels: `traceparent` and `tracestate`."""
    context = span.get_span_context()
    traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return traceparent, context.trace_state.to_header() or None


def end(
    span: Span, *, at_ms: int | None = None, kind: str | None = None, error: str | None = None
) -> None:
    """End a span; with an error of some kind (its type's name), where it is one."""
    if kind is not None or error is not None:
        span.set_attribute("error.type", kind or "_OTHER")
        span.set_status(Status(StatusCode.ERROR, hide(error or "")[:_ERROR_CHARACTERS] or None))
    span.end(end_time=None if at_ms is None else at_ms * _NS)
