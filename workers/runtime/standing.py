"""What a delivery's record says to do with it (correctness.md, "What a worker does").  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The task has its result: repeat the effects it may still owe, then delete the message."""


@dataclass(frozen=True, kw_only=True)
class AwaitingInput:
    """The task waits for people; its message comes back when they answer: delete this one."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The task waits for its children: see that they exist, try the join, delete this one."""


@dataclass(frozen=True, kw_only=True)
class Asleep:
    """The task waits for a time, `for_s` seconds from now (0: it is over)."""

    for_s: int


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


Standing = Ended | AwaitingInput | Waiting | Asleep | LeasedByAnother | Exhausted | Free | Ours


def standing(record: TaskRecord, *, token: str, max_attempts: int, now_ms: int) -> Standing:
    """Return what the record says to a worker that would acquire it with `token`."""
    if record.status.terminal:
        return Ended()
    if record.status is Status.INPUT_REQUIRED:
        return AwaitingInput()
    if record.phase is Phase.WAITING:
        return Waiting()
    if record.phase is Phase.SLEEPING:
        return Asleep(for_s=max(0, -((now_ms - (record.wake_at_ms or 0)) // 1000)))
    if record.lease_until_ms > now_ms:
        # Only a running lease makes our own token count: after it, another may have been told.
        if record.v == token:
            return Ours()
        return LeasedByAnother(for_s=(record.lease_until_ms - now_ms) // 1000 + 1)
    if record.attempt >= max_attempts:
        return Exhausted()
    return Free()
