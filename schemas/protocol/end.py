"""Operations that end a task: settle, cancel, fail; and what is cleared after its effects."""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.history import AttemptOutcome, with_attempt
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol.run import (
    AWAKE,
    WORKING,
    Lease,
    end_attempt,
    enter_lost,
    fenced_write,
    set_due,
    set_listed,
    set_payload,
    set_record,
)
from sqswarm.schemas.results import error_type_of
from sqswarm.schemas.task import TaskRecord, task_of
from sqswarm.schemas.undo import GIVEN_UP
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Absent, Change, Eq, Item, Key, Le, Missing, Remove, Set, Write


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a task ends: a result (completed) or an error (failed).

    `undone` where it first undid its steps: what that was for ends it, or (no error) a cancel.
    """

    result: Payload | None = None
    wrapped: bool = False
    error: JsonObject | None = None
    steps: tuple[str, ...] = ()
    """Of a failure: the steps that failed in the attempt and that it did not go on past."""
    undone: bool = False

    @property
    def status(self) -> Status:
        """Return the terminal status."""
        if self.undone and self.error is None:
            return Status.CANCELLED
        return Status.COMPLETED if self.error is None else Status.FAILED

    @property
    def attempt_outcome(self) -> AttemptOutcome:
        """Return how its last attempt ended."""
        if self.undone:
            return AttemptOutcome.UNDONE
        return AttemptOutcome.COMPLETED if self.error is None else AttemptOutcome.FAILED

    @property
    def error_type(self) -> str | None:
        """Return the type of the error, None for a result."""
        return None if self.error is None else error_type_of(self.error)


NOT_UNDOABLE = Missing("undoable")
"""Nothing is recorded that has an undo."""

_ORPHANED = (Set("phase", Phase.WAITING.value),)
"""It was cancelled while it waited for children: whoever completes its end cancels them."""


def settle(
    lease: Lease,
    ending: Ending,
    *,
    now_ms: int,
    expires_s: int,
    owes: bool,
    owes_until_ms: int | None = None,
    ended_ms: int | None = None,
) -> Write:
    """Record the task's one result under the lease. `owes`: effects follow, so due stays.

    `owes_until_ms`: they do, and the sweep looks after them from then on. `ended_ms` is when the
    attempt was over: a result may wait for others of its batch. A task that fails with something
    left to undo is refused.
    """
    record = lease.record
    undoing = record is not None and record.undo is not None
    orphans = record is not None and undoing and bool(record.pending)
    write = fenced_write(
        lease,
        *_end(
            lease.key,
            ending,
            now_ms=now_ms,
            expires_s=expires_s,
            owes=owes or orphans,
            owes_until_ms=owes_until_ms,
        ),
        *end_attempt(lease, ending.attempt_outcome, ended_ms=ended_ms or now_ms),
        *(_ORPHANED if orphans else ()),
    )
    if ending.error is not None and not undoing:
        return replace(write, when=(*write.when, NOT_UNDOABLE))
    return write


def settle_lean(
    record: TaskRecord,
    ending: Ending,
    *,
    now_ms: int,
    expires_s: int,
    lease: Lease | None = None,
    owes_until_ms: int | None = None,
    ended_ms: int | None = None,
) -> Write:
    """Record the result of a `lean` task, whose record this write makes.

    `owes_until_ms`: effects follow, and the sweep looks after them from then on. `lease` is the
    attempt's that ended it, None where none did.
    """
    if lease is not None and lease.began is not None:
        history = with_attempt(
            None,
            lease.began,
            attempt=lease.attempt,
            ended_ms=ended_ms or now_ms,
            outcome=ending.attempt_outcome,
        )
        record = replace(record, history=history)
    kept = (c for c in set_record(record) if isinstance(c, Set) and c.name != "status")
    changes = _end(
        record.key,
        ending,
        now_ms=now_ms,
        expires_s=expires_s,
        owes=True,
        owes_until_ms=owes_until_ms,
    )
    by_name: dict[str, Change] = {c.name: c for c in kept}
    by_name.update({c.name: c for c in changes})
    return Write(key=record.key, when=(Absent(),), changes=tuple(by_name.values()))


def without_arguments(write: Write) -> Write:
    """Return an end that takes the task's arguments, journal and history out of its record."""
    gone = ("arguments", "waits", "history")
    kept = tuple(change for change in write.changes if change.name not in gone)
    removed = () if write.inserts else tuple(map(Remove, gone))
    return replace(write, changes=(*kept, *removed))


def cancel(
    record: TaskRecord, *, now_ms: int, expires_s: int, owes_until_ms: int | None = None
) -> Write:
    """End a task as it was read: `working` or `input_required`, in the phase the record names.

    The phase is compared too: a task that plans children meanwhile owes their cancellation.
    `owes_until_ms`: effects follow, and the sweep looks after them from then on. What has something
    to undo is refused, but for a task that cannot: it is parked, and its undo is given up.
    """
    as_read = (Eq("status", record.status.value), Eq("phase", record.phase.value))
    given_up = record.undo is not None
    return Write(
        key=record.key,
        when=(*as_read, Eq("v", record.v) if given_up else NOT_UNDOABLE),
        changes=(
            Set("status", Status.CANCELLED.value),
            Set("lease_until", 0),
            Set("updated", now_ms),
            Set("ttl", expires_s),
            *set_due(record.task_id, owes_until_ms),
            *set_listed(record.key, Status.CANCELLED, now_ms),
            *(_ORPHANED if given_up and record.pending else ()),
            *((Set("status_message", GIVEN_UP),) if given_up else ()),
        ),
    )


def cancel_unrecorded(record: TaskRecord) -> Write:
    """Leave a tombstone for a task that has no record yet: its acquire will be refused."""
    return Write(
        key=record.key,
        when=(Absent(),),
        changes=set_record(replace(record, status=Status.CANCELLED)),
    )


def fail_exhausted(
    record: TaskRecord,
    *,
    error: JsonObject,
    now_ms: int,
    expires_s: int,
    owes: bool,
    owes_until_ms: int | None = None,
) -> Write:
    """End a task, as it was read, whose attempts are used up and whose lease is over.

    `owes` and `owes_until_ms` are as of `settle`. One that has something to undo is refused, unless
    that is what its attempts were used up for.
    """
    ending = Ending(error=error)
    undoing = record.undo is not None
    orphans = undoing and bool(record.pending)
    return Write(
        key=record.key,
        when=(
            WORKING,
            Eq("v", record.v),
            *AWAKE,
            Le("lease_until", now_ms),
            Eq("lease_until", record.lease_until_ms),  # else a slow worker has ended its attempt
            *(() if undoing else (NOT_UNDOABLE,)),
        ),
        changes=(
            *_end(
                record.key,
                ending,
                now_ms=now_ms,
                expires_s=expires_s,
                owes=owes or orphans,
                owes_until_ms=owes_until_ms,
            ),
            *enter_lost(record, now_ms=now_ms),
            Remove("began"),
            *(_ORPHANED if orphans else ()),
        ),
    )


def fail_unrecorded(
    record: TaskRecord,
    error: JsonObject,
    *,
    now_ms: int,
    expires_s: int,
    owes_until_ms: int | None = None,
) -> Write:
    """Record the failure of a task whose worker was lost before it left any record."""
    return settle_lean(
        record,
        Ending(error=error),
        now_ms=now_ms,
        expires_s=expires_s,
        owes_until_ms=owes_until_ms,
    )


def link_redriven(record: TaskRecord, *, new_id: str) -> Write:
    """Note the task that an ended one was redriven as, once."""
    return Write(
        key=record.key,
        when=(Eq("status", record.status.value), Missing("redriven_as")),
        changes=(Set("redriven_as", new_id),),
    )


def postpone(record: TaskRecord, *, due_at_ms: int | None) -> Write:
    """Move a task on in the sweep index, unless it has moved itself meanwhile."""
    return Write(
        key=record.key,
        when=(
            Eq("status", record.status.value),
            Eq("v", record.v),
            Eq("due_at", record.due_at_ms or 0),
        ),
        changes=set_due(record.task_id, due_at_ms),
    )


def postpone_unread(item: Item, *, due_at_ms: int) -> Write:
    """Move an item that cannot be read as a task on in the sweep index."""
    key = Key(pk=item["pk"], sk=item["sk"])
    return Write(key=key, when=(Eq("due_at", item["due_at"]),), changes=(Set("due_at", due_at_ms),))


def mark_due(record: TaskRecord, *, due_at_ms: int) -> Write:
    """Hand a task whose message is gone to the sweep."""
    return Write(
        key=record.key,
        when=(WORKING, Eq("v", record.v), *AWAKE),
        changes=set_due(record.task_id, due_at_ms),
    )


def clear_due(key: Key, status: Status) -> Write:
    """Take the ended task under `key` out of the sweep index, its effects being done."""
    return Write(
        key=key,
        when=(Eq("status", status.value),),
        changes=(Remove("due_at"), Remove("due_shard")),
    )


def owe_notice(key: Key, status: Status, *, due_at_ms: int, tries: int) -> Write:
    """Keep an ended task in the sweep index that could not be told of; all else it owed is done."""
    _, task_id = task_of(key)
    return Write(
        key=key,
        when=(Eq("status", status.value),),
        changes=(Set("untold", tries), *set_due(task_id, due_at_ms)),
    )


def _end(
    key: Key,
    ending: Ending,
    *,
    now_ms: int,
    expires_s: int,
    owes: bool,
    owes_until_ms: int | None = None,
) -> tuple[Change, ...]:
    changes: list[Change] = [
        Set("status", ending.status.value),
        Set("lease_until", 0),
        Set("updated", now_ms),
        Set("ttl", expires_s),
    ]
    changes += set_listed(key, ending.status, now_ms)
    if ending.error is not None:
        changes.append(Set("error", dumps(ending.error)))
        if ending.error_type is not None:
            changes.append(Set("error_type", ending.error_type))
        if ending.steps:
            changes.append(Set("failed_steps", dumps(list(ending.steps))))
    if ending.result is not None:
        changes.extend(set_payload("result", ending.result))
    if ending.wrapped:
        changes.append(Set("wrapped", True))
    if owes_until_ms is not None:
        changes += set_due(task_of(key)[1], owes_until_ms)
    elif not owes:
        changes += [Remove("due_at"), Remove("due_shard")]
    return tuple(changes)
