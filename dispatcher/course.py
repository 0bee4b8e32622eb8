"""A task's course: its time, from its creation to its end, stretch by stretch. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqswarm.schemas.history import (
    FIRST_KEPT,
    WAITS,
    AttemptOutcome,
    RecordedAttempt,
    attempts,
    is_waiting,
)
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import SpanKind

_ENDS = (AttemptOutcome.COMPLETED, AttemptOutcome.FAILED, AttemptOutcome.UNDONE)
_BETWEEN = {
    AttemptOutcome.RETRIED: "backoff",
    AttemptOutcome.LOST: "redelivery",
    AttemptOutcome.HANDED_BACK: "redelivery",
}


PARKED = "parked"
"""What a wait is called that is for other code."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A stretch of a task's time: in the queue, in an attempt, or (`kind` None) in a wait."""

    kind: SpanKind | None
    name: str
    began_ms: int
    ended_ms: int | None
    attempt: RecordedAttempt | None = None


@dataclass(frozen=True, kw_only=True)
class Course:
    """A task's time, stretch by stretch, with no gap but that of attempts `left_out`."""

    stretches: tuple[Stretch, ...]
    ended_ms: int | None
    left_out: int

    def total_ms(self, kind: SpanKind | None, *, now_ms: int) -> int:
        """Return how long all stretches of a kind took, up to now."""
        ours = [one for one in self.stretches if one.kind is kind]
        return sum(
            (now_ms if one.ended_ms is None else one.ended_ms) - one.began_ms for one in ours
        )


def course(record: TaskRecord, *, now_ms: int) -> Course:
    """Return how a task's time went."""
    history = attempts(record, now_ms=now_ms)
    found: list[Stretch] = []
    ready_ms: int | None = record.created_ms
    name, last = "queue", None
    for number, one in enumerate(history.attempts):
        if history.left_out and number == FIRST_KEPT:
            ready_ms = None  # when the one before it ended is among what is left out
        wait = PARKED if last is AttemptOutcome.PARKED else ""
        found += _until(ready_ms, one.resumed_ms, one.began_ms, name, wait=wait)
        resumed = one.resumed_ms is not None and last is not None
        found.append(
            Stretch(
                kind=SpanKind.ATTEMPT,
                name=f"attempt {one.attempt}{', resumed' if resumed else ''}",
                began_ms=one.began_ms,
                ended_ms=one.ended_ms,
                attempt=one,
            )
        )
        ready_ms, last = one.ended_ms, one.outcome
        name = "queue" if last is None else _BETWEEN.get(last, "queue")
    end_ms = max(record.updated_ms, ready_ms or 0) if record.status.terminal else None
    if record.status.terminal and ready_ms is not None and last in _ENDS:
        end_ms = ready_ms
    elif ready_ms is not None and is_waiting(record):
        wait = PARKED if last is AttemptOutcome.PARKED else ""
        found.append(Stretch(kind=None, name=wait, began_ms=ready_ms, ended_ms=end_ms))
    elif ready_ms is not None and not (record.status.terminal and last is AttemptOutcome.CANCELLED):
        after_wait = last is None or last in WAITS
        wait = PARKED if last is AttemptOutcome.PARKED else ""
        resumed_ms = record.resumed_ms if after_wait else None
        found += _until(ready_ms, resumed_ms, end_ms, name, wait=wait)
    return Course(stretches=tuple(found), ended_ms=end_ms, left_out=history.left_out)


def _until(
    ready_ms: int | None, resumed_ms: int | None, began_ms: int | None, name: str, *, wait: str
) -> Iterator[Stretch]:
    """Yield what lies before an attempt: a wait, where it was resumed from one, and the queue."""
    if resumed_ms is not None:
        if ready_ms is not None:
            yield Stretch(kind=None, name=wait, began_ms=ready_ms, ended_ms=resumed_ms)
        ready_ms = resumed_ms
    if ready_ms is not None:
        yield Stretch(kind=SpanKind.QUEUE, name=name, began_ms=ready_ms, ended_ms=began_ms)
