"""Operations of a task that undoes: begin it, record what is undone, let the lease of before go.

What is begun stays: the task is `working` until a run has undone its recorded steps, then it ends
as `undo` says. Where it was cancelled while a worker had it, that worker's lease keeps the undo
waiting, so that nothing is undone beside what is still being done.
"""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.history import AttemptOutcome, with_attempt
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.protocol.run import (
    AWAKE,
    WORKING,
    Lease,
    end_attempt,
    enter_lost,
    fenced_write,
    set_due,
    unlisted,
)
from sqswarm.schemas.protocol.step import Ran, step_key
from sqswarm.schemas.results import error_type_of
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.undo import LEASE_HELD, Undoing
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Change, Eq, Key, Missing, Remove, Set, Write


@dataclass(frozen=True, kw_only=True)
class BeginUndo:
    """What every write says that begins an undo: a fresh version, and when the sweep looks."""

    undoing: Undoing
    v: str
    due_at_ms: int

    def changes(self, task_id: str, *, lease_until_ms: int = 0) -> tuple[Change, ...]:
        """Return the changes: another run, with attempts and publishes of its own."""
        return (
            Set("undo", self.undoing.text()),
            Set("v", self.v),
            Set("phase", Phase.RUN.value),
            Set("lease_until", lease_until_ms),
            Set("attempt", 0),
            Set("publishes", 0),
            Set("updated", self.undoing.at_ms),
            Set("status_message", f"undoing, then {self.undoing.told()}"[:1000]),
            *set_due(task_id, self.due_at_ms),
        )


def begin_undo(lease: Lease, error: JsonObject, begin: BeginUndo, *, ended_ms: int) -> Write:
    """Undo a task whose attempt under `lease` has failed for good with `error`."""
    ended = end_attempt(
        lease,
        AttemptOutcome.FAILED,
        ended_ms=ended_ms,
        error_type=error_type_of(error),
        error=str(error.get("message", "")),
    )
    write = fenced_write(lease, *begin.changes(lease.task_id), *ended)
    return replace(write, when=(*write.when, *AWAKE))


def begin_undo_lost(record: TaskRecord, begin: BeginUndo) -> Write:
    """Undo a task, as it was read, whose attempts are used up and whom nobody holds."""
    return _begin_as_read(
        record,
        *begin.changes(record.task_id),
        *enter_lost(record, now_ms=begin.undoing.at_ms),
        Remove("began"),
    )


def begin_undo_cancelled(record: TaskRecord, begin: BeginUndo, *, now_ms: int) -> Write:
    """Undo a task, as it was read, that is cancelled.

    What it waits for is given up: its answers come too late, its children are cancelled (`pending`
    keeps them until it ends). A live lease is left as it is.
    """
    held = record.lease_until_ms > now_ms
    changes: list[Change] = [
        *begin.changes(record.task_id, lease_until_ms=record.lease_until_ms if held else 0),
        Set("status", Status.WORKING.value),
        Set("resumed", now_ms),
        Remove("wake_at"),
        Remove("asks"),
        Remove("open"),
        *unlisted(),
    ]
    if held:
        changes.append(Set(LEASE_HELD, record.v))
    if record.began is not None:
        changes += [_cancelled_attempt(record, record.began, now_ms=now_ms), Remove("began")]
    return _begin_as_read(record, *changes)


def let_go(key: Key, v: str) -> Write:
    """Give back the lease of `v` under which nothing is done any more: an undo waits for it."""
    return Write(
        key=key,
        when=(WORKING, Eq(LEASE_HELD, v), Eq("attempt", 0)),
        changes=(Set("lease_until", 0), Remove(LEASE_HELD)),
    )


def record_undone(lease: Lease, name: str, number: int, *, ran: Ran) -> tuple[Write, Write]:
    """Record that a step is undone: for a transaction. The next undo has attempts of its own."""
    task = fenced_write(lease, Set("undo_from", lease.attempt))
    step = Write(
        key=step_key(lease.key, name),
        when=(Eq("undo", number), Missing("undone")),
        changes=(Set("undo_began", ran.began_ms), Set("undone", ran.ended_ms)),
    )
    return task, step


def _begin_as_read(record: TaskRecord, *changes: Change) -> Write:
    return Write(
        key=record.key,
        when=(
            Eq("status", record.status.value),
            Eq("v", record.v),
            Eq("phase", record.phase.value),
            Eq("lease_until", record.lease_until_ms),
        ),
        changes=changes,
    )


def _cancelled_attempt(record: TaskRecord, began: str, *, now_ms: int) -> Set:
    history = with_attempt(
        record,
        began,
        attempt=record.attempt,
        ended_ms=max(now_ms, int(began.partition(" ")[0])),
        outcome=AttemptOutcome.CANCELLED,
    )
    return Set("history", history)
