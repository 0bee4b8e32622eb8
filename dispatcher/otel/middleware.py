"""Tracing: the middleware that makes spans of what it hears."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, TracerProvider

from sqswarm.dispatcher.middleware import Middleware
from sqswarm.dispatcher.otel.past import Past, before, lost_at_last
from sqswarm.dispatcher.otel.spans import Spans, end, traceparent_of
from sqswarm.dispatcher.tracing import follows_xray
from sqswarm.schemas.heard import Attempt, Batch, Step, Submission, TaskEnd, ToolUse, Turn
from sqswarm.schemas.ids import (
    begins_trace,
    is_traceparent,
    span_id_of,
    traceparent_of_task,
    traceparent_of_xray,
)

ATTEMPT = "sqswarm.attempt"
TASK_ID = "sqswarm.task.id"
AGENT = "sqswarm.agent"
_FLUSH_S = 2.0
"""Longest time that a function waits for its spans to be sent before it is frozen."""

_XRAY = "_X_AMZN_TRACE_ID"
"""Where Lambda's runtime says which trace an invocation belongs to."""


class Tracing(Middleware):
    """Traces with OpenTelemetry: `add_middleware(Tracing())` where the SDK is your own.

    Where OTEL_* is set, sqswarm's commands and functions add it by themselves.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        """Make spans by `tracer_provider` (default: the process's)."""
        self.provider: Any = tracer_provider or trace.get_tracer_provider()
        self._spans = Spans(self.provider)
        self._open: dict[Any, tuple[Span, Any]] = {}
        self._contexts: dict[Attempt, SpanContext] = {}

    def before_submit(self, submission: Submission) -> None:
        """Continue the caller's trace, or begin one: what travels names this span."""
        kind = "event" if submission.event else "task"
        parent = context.get_current()
        if not trace.get_current_span().get_span_context().is_valid:
            parent = self._ambient(submission, parent)
        span = self._spans.begin(
            f"submit {submission.agent}",
            parent,
            kind=SpanKind.PRODUCER,
            attributes={
                "messaging.system": "aws_sns",
                "messaging.operation.type": "send",
                "messaging.operation.name": "submit",
                "messaging.destination.name": submission.agent,
                "messaging.message.id": submission.task_id,
                "sqswarm.submits": kind,
                TASK_ID: None if submission.event else submission.task_id,
                AGENT: None if submission.event else submission.agent,
                "sqswarm.redriven_from": submission.redriven_from,
            },
        )
        self._open[submission] = span, None
        submission.traceparent, submission.tracestate = traceparent_of(span)
        for name, value in baggage.get_all().items():
            submission.baggage.setdefault(name, str(value))

    def _ambient(self, submission: Submission, parent: Context) -> Context:
        """Return the context of who submits where no span is current: Lambda's, or a redriven's."""
        traceparent = submission.traceparent
        if follows_xray() and (found := traceparent_of_xray(os.environ.get(_XRAY, ""))):
            traceparent = found
        if traceparent is None or begins_trace(traceparent):
            return parent
        return self._spans.caller(traceparent, submission.tracestate)[0]

    def after_submit(self, submission: Submission) -> None:
        """End its span."""
        _end_with(self._open.pop(submission)[0], submission.error)

    def before_attempt(self, attempt: Attempt) -> None:
        """Begin its span: current for all that the agent does."""
        traceparent = _traceparent(attempt)
        within = self._spans.within(traceparent, attempt.tracestate, attempt.task_id)
        for name, value in attempt.baggage.items():
            within = baggage.set_baggage(name, value, within)
        about = _about(attempt)
        span = self._spans.begin(
            f"attempt {attempt.agent}",
            within,
            kind=SpanKind.CONSUMER,
            at_ms=attempt.began_ms,
            span_id=span_id_of(attempt.task_id, attempt.number, attempt.began_ms),
            attributes={
                **about,
                "messaging.system": "aws_sqs",
                "messaging.operation.type": "process",
                "messaging.operation.name": "process",
                "messaging.destination.name": attempt.agent,
                "messaging.message.id": attempt.task_id,
                ATTEMPT: attempt.number,
                "gen_ai.conversation.id": attempt.session_id,
            },
        )
        self._contexts[attempt] = span.get_span_context()
        token = context.attach(trace.set_span_in_context(span, within))
        self._open[attempt] = span, token

    def after_attempt(self, attempt: Attempt) -> None:
        """End its span at the attempt's end, and tell of what lay before it."""
        span, token = self._open.pop(attempt)
        context.detach(token)
        span.set_attribute("sqswarm.outcome", str(attempt.outcome))
        kind = "lost" if attempt.outcome == "lost" else attempt.error_type
        end(span, at_ms=attempt.ended_ms, kind=kind, error=attempt.error)
        self._tell(attempt, before(attempt))

    def _tell(self, told: Attempt | TaskEnd, past: Iterable[Past]) -> None:
        """Make the spans of what nobody else tells of."""
        within = self._spans.within(_traceparent(told), told.tracestate, told.task_id)
        for one in past:
            span = self._spans.begin(
                f"{one.name} {told.agent}",
                within,
                kind=SpanKind.CONSUMER if one.attempt else SpanKind.INTERNAL,
                at_ms=one.began_ms,
                span_id=span_id_of(told.task_id, one.attempt or one.name, one.began_ms),
                attributes={**_about(told), **one.attributes},
            )
            end(span, at_ms=one.ended_ms, kind="lost" if one.attempt else None)

    def before_step(self, step: Step) -> None:
        """Begin its span, below the attempt's or that of whatever it is called in."""
        name, kind, attributes = _step(step)
        span = self._spans.begin(
            name,
            context.get_current(),
            kind=kind,
            at_ms=step.began_ms,
            attributes={**attributes, "sqswarm.step": step.name, TASK_ID: step.task_id},
        )
        if step.turn:
            above = trace.get_current_span()
            above.set_attribute("gen_ai.operation.name", "invoke_agent")
            above.set_attribute("gen_ai.agent.name", step.agent)
            above.set_attribute("gen_ai.provider.name", _provider(step.turn))
        self._open[step] = span, context.attach(trace.set_span_in_context(span))

    def after_step(self, step: Step) -> None:
        """End its span; a turn's says what it cost."""
        span, token = self._open.pop(step)
        context.detach(token)
        if step.tries > 1:
            span.set_attribute("sqswarm.tries", step.tries)
        if step.turn:
            span.set_attributes(_used(step.turn))
        _end_with(span, step.exception, at_ms=step.ended_ms)

    def after_task(self, ended: TaskEnd) -> None:
        """Make the task's own span, from its creation to its end."""
        if ended.lost and ended.record is not None:
            self._tell(ended, lost_at_last(ended.record))
        traceparent = _traceparent(ended)
        parent, trace_id = self._spans.caller(traceparent, ended.tracestate)
        span = self._spans.begin(
            f"task {ended.agent}",
            parent,
            at_ms=ended.created_ms,
            span_id=span_id_of(ended.task_id),
            trace_id=trace_id,
            attributes={
                **_about(ended),
                "sqswarm.status": ended.status,
                "sqswarm.principal": ended.principal,
                "sqswarm.parent": ended.parent,
                "sqswarm.topic": ended.topic,
                "sqswarm.redriven_from": ended.redriven_from,
            },
        )
        failed = ended.status == "failed"
        end(
            span,
            at_ms=max(ended.ended_ms, ended.created_ms),
            kind=(ended.error_type or "failed") if failed else None,
            error=ended.error if failed else None,
        )

    async def after_batch(self, batch: Batch) -> None:
        """Make a span of the batch, linked to its attempts; send all before a function freezes."""
        parent = Context()
        if follows_xray() and (found := traceparent_of_xray(os.environ.get(_XRAY, ""))):
            parent = self._spans.caller(found, None)[0]
        contexts = [self._contexts.pop(one) for one in batch.attempts if one in self._contexts]
        span = self._spans.begin(
            f"batch {batch.agent}",
            parent,
            kind=SpanKind.CONSUMER,
            at_ms=batch.began_ms,
            attributes={
                "messaging.system": "aws_sqs",
                "messaging.operation.type": "process",
                "messaging.operation.name": "batch",
                "messaging.destination.name": batch.agent,
                "messaging.batch.message_count": batch.messages,
                "sqswarm.poisoned": batch.poisoned or None,
                AGENT: batch.agent,
            },
            links=[Link(one) for one in contexts],
        )
        end(span, at_ms=batch.ended_ms)
        if batch.left_s is not None:
            await flush(self.provider, min(_FLUSH_S, max(0.2, batch.left_s)))


async def flush(provider: Any, timeout_s: float) -> None:
    """Send what has ended, for so long at most; what is left is sent later, or never."""
    sending = getattr(provider, "force_flush", None)
    if sending is not None:
        # On a thread of its own that nobody has to wait for: the SDK heeds no time-out here.
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def send() -> None:
            sending(round(1000 * timeout_s))
            with contextlib.suppress(RuntimeError):  # the loop may be closed by then
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=send, name="sqswarm-traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), timeout_s)


def _traceparent(told: Attempt | TaskEnd) -> str:
    if told.traceparent is not None and is_traceparent(told.traceparent):
        return told.traceparent
    return traceparent_of_task(told.task_id)


def _about(told: Attempt | TaskEnd) -> dict[str, Any]:
    return {TASK_ID: told.task_id, AGENT: told.agent}


def _step(step: Step) -> tuple[str, SpanKind, Mapping[str, Any]]:
    if step.turn is not None:
        asked = {"sqswarm.turn": step.turn.number, "sqswarm.model": step.turn.model}
        return f"turn {step.turn.model}", SpanKind.INTERNAL, asked
    if step.tool is not None:
        return f"execute_tool {step.tool.name}", SpanKind.INTERNAL, _tool(step.tool)
    return f"step {step.name.rpartition('#')[0]}", SpanKind.INTERNAL, {}


def _tool(tool: ToolUse) -> Mapping[str, Any]:
    """Return what GenAI's conventions say of a tool's execution."""
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool.name,
        "gen_ai.tool.call.id": tool.call_id,
        "gen_ai.tool.type": "function" if tool.server is None else "extension",
        "sqswarm.mcp.server": tool.server,
    }


def _provider(turn: Turn) -> str:
    return "aws.bedrock" if turn.provider == "bedrock" else turn.provider


def _used(turn: Turn) -> Mapping[str, Any]:
    """Return what a turn came to. The call's own span has the tokens: once, for whoever adds."""
    return {"sqswarm.micro_usd": turn.micro_usd, "sqswarm.stop_reason": turn.stop_reason or "none"}


def _end_with(span: Span, error: BaseException | None, *, at_ms: int | None = None) -> None:
    kind = None if error is None else type(error).__name__
    end(span, at_ms=at_ms, kind=kind, error=None if error is None else str(error))
