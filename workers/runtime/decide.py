"""Decide: what to do with a delivery, and about an outcome. Pure: its tables are the truth."""

from __future__ import annotations

import math
from enum import Enum

from sqswarm.schemas.journal import Place
from sqswarm.schemas.json import JsonObject, encodable
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.undo import Undoing
from sqswarm.schemas.value import dataclass
from sqswarm.workers.runtime.outcome import (
    Broke,
    Failed,
    Misfitted,
    Outcome,
    Returned,
    Suspended,
    UndoBroke,
    Undone,
    Wait,
)

BACKOFF_CAP_S = 900


class Standing(Enum):
    """How a delivery's task stands, by its record: what to do with the delivery."""

    ENDED = "ended"
    """It has its result: repeat the completions it may still owe, then delete the message."""
    AWAITING_INPUT = "awaiting input"
    """It waits for people, or what is sent; its message comes back with it: delete this one."""
    WAITING = "waiting"
    """It waits for its children: see that they exist, try the join, delete this one."""
    ASLEEP = "asleep"
    """It waits for a time."""
    PARKED = "parked"
    """It waits for other code; what resumes it publishes it anew: delete this message."""
    PAUSED = "paused"
    """Somebody holds it back, and nobody runs it: set it aside until it is resumed."""
    LEASED_BY_ANOTHER = "leased by another"
    """Another worker runs it: hide the message for the rest of that lease."""
    EXHAUSTED = "exhausted"
    """Its attempts are used up and nobody runs it: fail it with the reason."""
    FREE = "free"
    """Acquire it."""
    OURS = "ours"
    """Our own acquire was applied and its answer lost: go on under that lease."""


def standing(
    record: TaskRecord, *, token: str, max_attempts: int, now_ms: int
) -> tuple[Standing, int]:
    """Return how a task stands for a worker that would acquire it with `token`.

    And for how many more seconds, where a time ends it (0: that is over).
    Source: correctness.md, "What a worker does".
    """
    if record.status.terminal:
        return Standing.ENDED, 0
    if record.status is Status.INPUT_REQUIRED or record.phase is Phase.RECEIVING:
        return Standing.AWAITING_INPUT, 0
    if record.phase is Phase.WAITING:
        return Standing.WAITING, 0
    if record.phase is Phase.SLEEPING:
        return Standing.ASLEEP, max(0, -((now_ms - (record.wake_at_ms or 0)) // 1000))
    if record.phase is Phase.PARKED:
        return Standing.PARKED, 0
    if record.lease_until_ms > now_ms:
        # Only a running lease makes our own token count: after it, another may have been told.
        if record.v == token:
            return Standing.OURS, 0
        left_s = (record.lease_until_ms - now_ms) // 1000 + 1
        return Standing.LEASED_BY_ANOTHER, left_s
    if record.paused_now is not None:
        return Standing.PAUSED, 0
    if record.attempt >= record.attempts_limit(max_attempts):
        return Standing.EXHAUSTED, 0
    return Standing.FREE, 0


@dataclass(frozen=True, kw_only=True)
class Complete:
    """Settle as completed with this JSON object."""

    text: str
    wrapped: bool


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """Settle as failed with this JSON-RPC error; `steps` are those that failed.

    `undone` where what it recorded is.
    """

    error: JsonObject
    steps: tuple[str, ...] = ()
    undone: bool = False


@dataclass(frozen=True, kw_only=True)
class BeginUndo:
    """Undo what the task recorded, then settle as failed with this JSON-RPC error."""

    error: JsonObject


@dataclass(frozen=True, kw_only=True)
class EndCancelled:
    """Settle as cancelled: its steps are undone."""


@dataclass(frozen=True, kw_only=True)
class RetryLater:
    """Release the lease and hide the message for this long."""

    after_s: int
    message: str
    error_type: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Suspend:
    """Record what the task waits for, and let its message and its worker go."""

    waits: tuple[Wait, ...]
    at: Place
    patches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Park:
    """Set the task aside until code comes that fits its journal."""

    misfit: Misfit


Decision = Complete | GiveUp | BeginUndo | EndCancelled | RetryLater | Suspend | Park


def backoff_s(attempt: int, *, jitter: float, base_s: int = 2, cap_s: int = BACKOFF_CAP_S) -> int:
    """Return the seconds to hide a message after failed attempt number `attempt` (from 1).

    Doubles with every attempt, plus up to a third by `jitter` (0 to 1): a crowd of failures comes
    back spread out, and yet every delay is longer than the one before.
    Raises ValueError if attempt < 1. Source of the limit: SQS ChangeMessageVisibility takes 0
    to 43,200 s; 15 minutes is correctness.md's cap.
    """
    if attempt < 1:
        message = f"attempts count from 1, not {attempt}"
        raise ValueError(message)
    return min(cap_s, round((base_s << min(attempt - 1, 30)) * (1 + jitter / 3)))


def decide(
    outcome: Outcome,
    *,
    attempt: int,
    max_attempts: int,
    jitter: float,
    undoable: bool = False,
    undoing: Undoing | None = None,
) -> Decision:
    """Return what to do about the outcome of attempt number `attempt`.

    `undoable` where something is recorded that has an undo; `undoing` where this attempt was at it.
    """
    decision = _decide(outcome, attempt=attempt, max_attempts=max_attempts, jitter=jitter)
    if not isinstance(decision, GiveUp) or decision.undone:
        return decision
    if undoing is not None and not isinstance(outcome, UndoBroke):
        told = decision.error
        why = f"undoing broke off: {told['data']['type']}: {told['message']}"
        return GiveUp(error=undoing.failed(why, attempt=attempt))
    return BeginUndo(error=decision.error) if undoable and undoing is None else decision


def _decide(  # noqa: C901 - one a case
    outcome: Outcome, *, attempt: int, max_attempts: int, jitter: float
) -> Decision:
    match outcome:
        case Undone(undoing=undoing):
            if undoing.error is None:
                return EndCancelled()
            return GiveUp(error=undoing.error, undone=True)
        case UndoBroke() as broke if broke.final or attempt >= max_attempts:
            why = f"undo of {broke.step!r} failed: {broke.error_type}: {broke.message}"
            return GiveUp(error=broke.undoing.failed(why, attempt=attempt, left=broke.left))
        case UndoBroke(error_type=kind, message=message):
            why = encodable(f"attempt {attempt}: undo of {outcome.step!r}: {kind}: {message}"[:500])
            wait_s = backoff_s(attempt, jitter=jitter)
            return RetryLater(after_s=wait_s, message=why, error_type=kind, error=message)
        case Returned(text=text, wrapped=wrapped):
            return Complete(text=text, wrapped=wrapped)
        case Suspended(waits=waits, at=at, patches=patches):
            return Suspend(waits=waits, at=at, patches=patches)
        case Misfitted(misfit=misfit):
            return Park(misfit=misfit)
        case Failed(error_type=kind, message=message, code=code, steps=steps):
            error = error_object(kind, message, code=code, attempt=attempt)
            return GiveUp(error=error, steps=steps)
        case Broke(error_type=kind, message=message, steps=steps) if attempt >= max_attempts:
            return GiveUp(error=error_object(kind, message, attempt=attempt), steps=steps)
        case Broke(error_type=kind, message=message, after_s=after_s):
            wait_s = (
                backoff_s(attempt, jitter=jitter)
                if after_s is None or math.isnan(after_s)
                else round(max(0, min(after_s, BACKOFF_CAP_S)))
            )
            why = encodable(f"attempt {attempt}: {kind}: {message}"[:500])
            return RetryLater(after_s=wait_s, message=why, error_type=kind, error=message)
