"""The law of history: each attempt stands in its task's record, once and as it was."""

from __future__ import annotations

from collections.abc import Iterator

from simulation.history import Execution, History
from simulation.observation import Observation
from simulation.process import EPOCH_MS
from sqswarm.dispatcher.course import course
from sqswarm.schemas.history import AttemptOutcome, RecordedAttempt, attempts
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import SpanKind

_SKEW_MS = 4000
"""Two clocks, each up to two seconds wrong."""


def incomplete(seen: Observation) -> Iterator[tuple[str, str]]:
    """Yield the tasks whose history is not what was seen, each with what is wrong with it."""
    now_ms = seen.world.now_ms()
    for history, item in seen.histories():
        record = TaskRecord.from_item(item)
        kept = attempts(record, now_ms=now_ms)
        what = (
            _other(history, kept.attempts)
            or _ill_timed(history, kept.attempts)
            or _no_sum(history, record, now_ms)
        )
        if what:
            yield history.task_id, what


def _other(history: History, kept: tuple[RecordedAttempt, ...]) -> str:
    wanted = [(one.ended, one.worker) for one in history.acquired]
    found = [(one.outcome and one.outcome.value, one.worker) for one in kept]
    if len(found) == len(wanted) and all(
        how == seen and who in {None, by}
        for (how, by), (seen, who) in zip(found, wanted, strict=True)
    ):
        return ""
    return f"its history is {found}, and seen was {wanted}"


def _ill_timed(history: History, kept: tuple[RecordedAttempt, ...]) -> str:
    runs = {run.token: run for run in history.executions}
    for one, acquired in zip(kept, history.acquired, strict=True):
        run = runs.get(acquired.token)
        if run is None or run.process.zombie:
            continue
        if one.began_ms > _ms(run.started_s) + _SKEW_MS:
            return f"attempt {one.attempt} began before it is said to have"
        if one.ended_ms is not None and _outlives(run, one):
            return f"attempt {one.attempt} ran longer than it is said to have"
    return ""


def _outlives(run: Execution, one: RecordedAttempt) -> bool:
    if run.ended_s is None or run.how != "returned" or one.outcome is AttemptOutcome.CANCELLED:
        return False  # a cancel may be written long after it was stamped
    return one.ended_ms is not None and _ms(run.ended_s) - _SKEW_MS > one.ended_ms


def _no_sum(history: History, record: TaskRecord, now_ms: int) -> str:
    went = course(record, now_ms=now_ms)
    waits = sum(one.kind is None for one in went.stretches)
    kinds = (SpanKind.QUEUE, SpanKind.ATTEMPT, None)
    total_ms = sum(went.total_ms(kind, now_ms=now_ms) for kind in kinds)
    own_ms = (now_ms if went.ended_ms is None else went.ended_ms) - record.created_ms
    if total_ms != own_ms and history.acquired:
        return f"its stretches add up to {total_ms} ms, and its own time is {own_ms} ms"
    backwards = [
        one for one in went.stretches if (one.ended_ms or now_ms) < one.began_ms - _SKEW_MS
    ]
    if backwards:
        return f"{backwards[0]} ends before it begins"
    if history.acquired and waits < history.suspensions:
        return f"it waited {history.suspensions} times, and {waits} waits are shown"
    return ""


def _ms(seconds: float) -> int:
    return EPOCH_MS + round(1000 * seconds)
