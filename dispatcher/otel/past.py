"""Past: what lay before an attempt, by the task's history: waits, and attempts that were lost.

It is told of when the attempt has ended: by a worker that was not killed, and once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqswarm.dispatcher.course import course
from sqswarm.dispatcher.task_spans import spans_of
from sqswarm.schemas.heard import Attempt
from sqswarm.schemas.history import AttemptOutcome
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import Span, SpanKind

_WAITS = (SpanKind.ASK, SpanKind.RECEIVE, SpanKind.SLEEP)


@dataclass(frozen=True, kw_only=True)
class Past:
    """One stretch of a task's time that is over. `attempt` is a lost attempt's number."""

    name: str
    began_ms: int
    ended_ms: int
    attempt: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def before(attempt: Attempt) -> list[Past]:
    """Return what lay between an attempt and the last one that a worker has told of."""
    if attempt.record is None:
        return [_queue(attempt.created_ms, attempt.began_ms)]
    spans = _spans(attempt.record, attempt.began_ms)
    while spans and spans.pop().kind is not SpanKind.ATTEMPT:  # the last is the one that ran
        pass
    return list(_untold(spans))


def lost_at_last(record: TaskRecord) -> list[Past]:
    """Return the attempts that a task ended in, each lost with its worker, and their waits."""
    return list(_untold(_spans(record, record.updated_ms)))


def _spans(record: TaskRecord, now_ms: int) -> list[Span]:
    """Return the spans of a task in their order, without those of steps and children.

    A wait for children is a span too: the children's own say what they did, and not that.
    """
    went = course(record, now_ms=now_ms)
    told = spans_of(record, went, limit=0)
    attempts = iter([span for span in told if span.kind is SpanKind.ATTEMPT])
    spans: list[Span] = []
    for one in went.stretches:
        span = Span(
            kind=one.kind or SpanKind.CHILD,
            name=one.name or "children",
            began_ms=one.began_ms,
            ended_ms=one.ended_ms,
        )
        waits = [s for s in told if s.kind in _WAITS and s.began_ms == one.began_ms]
        if one.attempt is not None:
            spans.append(next(attempts))
        elif one.kind is None and waits:
            spans += waits
        else:
            spans.append(span)
    return spans


def _untold(spans: Sequence[Span]) -> Iterator[Past]:
    """Yield what came after the last attempt that was not lost."""
    told = [
        number
        for number, span in enumerate(spans)
        if span.kind is SpanKind.ATTEMPT and span.outcome != AttemptOutcome.LOST.value
    ]
    for span in spans[told[-1] + 1 if told else 0 :]:
        ended_ms = max(span.began_ms, span.ended_ms or span.began_ms)
        match span.kind:
            case SpanKind.ATTEMPT:
                yield Past(
                    name="attempt",
                    began_ms=span.began_ms,
                    ended_ms=ended_ms,
                    attempt=int(span.name.rpartition(" ")[2]),
                    attributes={
                        "sqswarm.outcome": "lost",
                        "sqswarm.worker": span.worker,
                        "faas.invocation_id": span.request_id,
                    },
                )
            case SpanKind.QUEUE:
                yield _queue(span.began_ms, ended_ms, name=span.name)
            case SpanKind.ASK | SpanKind.RECEIVE:
                yield Past(
                    name=f"{span.kind.value} {span.name}",
                    began_ms=span.began_ms,
                    ended_ms=ended_ms,
                    attributes={"sqswarm.outcome": span.outcome},
                )
            case _:
                name = span.name if span.kind is SpanKind.CHILD else "sleep"
                yield Past(name=name, began_ms=span.began_ms, ended_ms=ended_ms)


def _queue(began_ms: int, ended_ms: int, *, name: str = "queue") -> Past:
    return Past(name=name, began_ms=began_ms, ended_ms=max(began_ms, ended_ms))
