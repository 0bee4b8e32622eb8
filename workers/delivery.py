"""What a delivery's record says to do with it (correctness.md, "What a worker does").  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.lifecycle import Phase, Status
from schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The task has its result: repeat the effects it may still owe, then delete the message."""


@dataclass(frozen=True, kw_only=True)
class Parked:
    """The task waits; its message comes back when the wait is over: delete this one."""


@dataclass(frozen=True, kw_only=True)
class LeasedByAnother:
    """Another worker runs the task: hide the message for the rest of that lease."""

    for_s: int


@dataclass(frozen=True, kw_only=True)
class Exhausted:
    """The attempts are used up and nobody runs it: fail the task with the reason."""


@dataclass(frozen=True, kw_only=True)
class Free:
    """Acquire it."""


@dataclass(frozen=True, kw_only=True)
class Ours:
    """Our own acquire was applied and its answer lost: go on under that lease."""


Standing = Ended | Parked | LeasedByAnother | Exhausted | Free | Ours


def standing(record: TaskRecord, *, token: str, max_attempts: int, now_ms: int) -> Standing:
    """Return what the record says to a worker that would acquire it with `token`."""
    if record.status.terminal:
        return Ended()
    if record.status is Status.INPUT_REQUIRED or record.phase is Phase.WAITING:
        return Parked()
    if record.lease_until_ms > now_ms:
        # Only a running lease makes our own token count: after it, another may have been told.
        if record.v == token:
            return Ours()
        return LeasedByAnother(for_s=(record.lease_until_ms - now_ms) // 1000 + 1)
    if record.attempt >= max_attempts:
        return Exhausted()
    return Free()
