"""Operations on a task that runs: create, acquire, renew, release, progress, republish."""

from __future__ import annotations

from dataclasses import field, replace
from hashlib import sha256

from sqswarm.schemas.activity import moment
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.history import AttemptOutcome, with_attempt
from sqswarm.schemas.json import dumps
from sqswarm.schemas.lifecycle import ASIDE, Phase, Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.task import OPTIONAL_TEXTS, TaskRecord, due_shard, task_key, task_of
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import (
    Absent,
    Add,
    Change,
    Condition,
    Eq,
    Key,
    Le,
    Lt,
    Missing,
    Ne,
    Remove,
    Set,
    Write,
)

_MARK = 12
"""Hexadecimal digits that tell two tasks of one millisecond apart in the status index."""

WORKING = Eq("status", Status.WORKING.value)
AWAKE = tuple(Ne("phase", one.value) for one in ASIDE)
"""The task waits for nothing: a worker may have it."""
NOT_PAUSED = Missing("paused")
"""Nobody holds the task back. Its undo would run all the same."""


def create(record: TaskRecord) -> Write:
    """Make the record, due for the sweep, if there is none (`durable` mode)."""
    return Write(key=record.key, when=(Absent(),), changes=set_record(record))


def acquire_new(
    record: TaskRecord, *, token: str, lease_until_ms: int, began: str | None = None
) -> Write:
    """Make the record and take its first lease in one write (`standard` mode)."""
    leased = replace(record, v=token, lease_until_ms=lease_until_ms, attempt=1, began=began)
    return Write(key=record.key, when=(Absent(),), changes=set_record(leased))


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What a worker holds while it runs a task: `v` is its token."""

    agent: str
    task_id: str
    v: str
    attempt: int
    until_ms: int
    durability: Durability
    record: TaskRecord | None = field(default=None, compare=False, repr=False)
    """The record as acquire returned it; None where this acquire made it, or there is none."""
    began: str | None = field(default=None, compare=False, repr=False)
    """What history keeps of when this attempt began and where (history.py)."""

    @property
    def key(self) -> Key:
        """Return the primary key of the task's record."""
        return task_key(self.agent, self.task_id)


def acquire(
    key: Key,
    *,
    expected: str,
    max_attempts: int,
    token: str,
    now_ms: int,
    lease_until_ms: int,
    began: str | None = None,
    record: TaskRecord | None = None,
    code: str | None = None,
) -> Write:
    """Take the lease of the existing record under `key` whose version is `expected`.

    `record` is the task as it was read, where it was: an attempt of it that never ended is entered
    into the history as lost. Compared is its lease too, which is 0 once an attempt has ended: one
    that a slow worker ends meanwhile keeps its own end, and whoever has not read the record is
    refused where there is something to enter. `code` is the version that the task goes on with,
    where it has none yet or its own is gone.
    """
    entered = () if record is None else enter_lost(record, now_ms=now_ms)
    return Write(
        key=key,
        when=(
            WORKING,
            Eq("v", expected),
            *AWAKE,
            *(() if record is not None and record.undo is not None else (NOT_PAUSED,)),
            Lt("attempt", max_attempts),
            Le("lease_until", now_ms),
            Eq("lease_until", 0 if record is None else record.lease_until_ms),
        ),
        changes=(
            Set("v", token),
            Set("lease_until", lease_until_ms),
            Add("attempt", 1),
            Set("updated", now_ms),
            *(() if began is None else (Set("began", began),)),
            *(() if code is None else (Set("code", code),)),
            *entered,
        ),
    )


def renew(lease: Lease, *, lease_until_ms: int) -> Write:
    """Prolong the lease that is still ours."""
    write = fenced_write(lease, Set("lease_until", lease_until_ms))
    # A task that waits has given its lease back, and v is still the one it waited with: a late
    # heartbeat must not lease it again, or its resume would have to wait for that.
    return replace(write, when=(*write.when, *AWAKE))


def release(
    lease: Lease,
    *,
    now_ms: int,
    message: str,
    ended_ms: int | None = None,
    error_type: str | None = None,
    error: str | None = None,
) -> Write:
    """Give the lease back after a failed attempt; `v` stays until the next acquire."""
    return fenced_write(
        lease,
        Set("lease_until", 0),
        Set("status_message", message),
        Set("updated", now_ms),
        *end_attempt(
            lease,
            AttemptOutcome.RETRIED,
            ended_ms=ended_ms or now_ms,
            error_type=error_type,
            error=error,
        ),
    )


def hand_back(lease: Lease, *, now_ms: int) -> Write:
    """Give the lease back because the worker was told to stop, with the attempt it cost.

    The first attempt stays counted: the next must know that there was one. Compared is the attempt
    too, so that a repeat whose first answer was lost takes nothing off again.
    """
    attempt = max(1, lease.attempt - 1)
    write = fenced_write(
        lease,
        Set("lease_until", 0),
        Set("attempt", attempt),
        Set("updated", now_ms),
        *end_attempt(lease, AttemptOutcome.HANDED_BACK, ended_ms=now_ms),
    )
    return replace(write, when=(*write.when, Eq("attempt", lease.attempt)))


def progress(lease: Lease, *, now_ms: int, thousandths: int, message: str | None) -> Write:
    """Show how far the attempt is; `thousandths` of the whole."""
    shown = () if message is None else (Set("status_message", message),)
    return fenced_write(lease, Set("progress", thousandths), Set("updated", now_ms), *shown)


def expose(lease: Lease, *, state: str, now_ms: int) -> Write:
    """Show the agent's state, JSON text, to who asks for it."""
    return fenced_write(lease, Set("state", state), Set("updated", now_ms))


def republish(record: TaskRecord, *, due_at_ms: int) -> Write:
    """Note that a due task nobody runs is published once more, and when to look again."""
    return Write(
        key=record.key,
        when=(
            WORKING,
            Eq("v", record.v),
            Eq("due_at", record.due_at_ms or 0),
            *AWAKE,
        ),
        changes=(
            Set("publishes", record.publishes + 1),
            *set_due(record.task_id, due_at_ms),
        ),
    )


def end_attempt(
    lease: Lease,
    outcome: AttemptOutcome,
    *,
    ended_ms: int,
    error_type: str | None = None,
    error: str | None = None,
) -> tuple[Change, ...]:
    """Move the attempt under `lease` into the task's history."""
    if lease.began is None:
        return ()
    history = with_attempt(
        lease.record,
        lease.began,
        attempt=lease.attempt,
        ended_ms=ended_ms,
        outcome=outcome,
        error_type=error_type,
        error=error,
    )
    return (Set("history", history), Remove("began"))


def enter_lost(record: TaskRecord, *, now_ms: int) -> tuple[Change, ...]:
    """Enter an attempt that never ended, of a task as it was read whose lease is over."""
    if record.began is None:
        return ()
    history = with_attempt(
        record,
        record.began,
        attempt=record.attempt,
        ended_ms=min(record.lease_until_ms, now_ms),
        outcome=AttemptOutcome.LOST,
    )
    return (Set("history", history),)


def without_history(write: Write) -> Write:
    """Return the end of an attempt that enters nothing: where its record has no room left."""
    return replace(write, changes=tuple(one for one in write.changes if one.name != "history"))


def set_due(record_id: str, due_at_ms: int | None) -> tuple[Change, ...]:
    """Put a task into the sweep index from `due_at_ms` on, or take it out (None)."""
    if due_at_ms is None:
        return (Remove("due_at"), Remove("due_shard"))
    return (Set("due_at", due_at_ms), Set("due_shard", due_shard(record_id)))


LISTED = frozenset({Status.FAILED, Status.CANCELLED, Status.INPUT_REQUIRED})
"""Statuses that stand in the sparse index `status`: few tasks have them, people look for those."""


PARKED = Phase.PARKED.value
"""What parked tasks are listed under beside the statuses: `working`, they stand in none of them."""


def listed_under(status: Status | str, agent: str) -> str:
    """Return the partition of the status index where an agent's tasks of this status are."""
    return f"{status}#{agent}"


def place_mark(task_id: str) -> str:
    """Return what tells a task from others of its millisecond, and nobody its id."""
    return sha256(task_id.encode()).hexdigest()[:_MARK]


def set_listed(key: Key, status: Status, at_ms: int) -> tuple[Set, ...]:
    """List the task under `key` by a status that people look for, as of `at_ms`.

    The place is unique to the task and names it to nobody: a page's cursor shows it.
    """
    return () if status not in LISTED else set_listed_under(key, status, at_ms)


def set_listed_under(key: Key, status: Status | str, at_ms: int) -> tuple[Set, ...]:
    """List the task under `key` among an agent's tasks of a status, or among its parked ones."""
    agent, task_id = task_of(key)
    at = moment(at_ms, place_mark(task_id))
    return (Set("listed", listed_under(status, agent)), Set("listed_at", at))


def unlisted() -> tuple[Remove, ...]:
    """Take a task that works again out of the status index."""
    return (Remove("listed"), Remove("listed_at"))


def fenced_write(lease: Lease, *changes: Change) -> Write:
    """Change a task under the fence: it works, and its version is still ours."""
    when: tuple[Condition, ...] = (WORKING, Eq("v", lease.v))
    return Write(key=lease.key, when=when, changes=changes)


def set_payload(name: str, payload: Payload) -> tuple[Set, ...]:
    """Store a payload under `name`, or its claim check under `name_ref`."""
    if payload.inline is not None:
        return (Set(name, payload.inline),)
    return (Set(f"{name}_ref", str(payload.ref)),)


def set_record(record: TaskRecord) -> tuple[Set, ...]:
    """Store a record that nothing has happened to yet."""
    sets = [
        Set("principal", record.principal),
        Set("status", record.status.value),
        Set("v", record.v),
        Set("durability", record.durability.value),
        Set("attempt", record.attempt),
        Set("lease_until", record.lease_until_ms),
        Set("phase", record.phase.value),
        Set("created", record.created_ms),
        Set("updated", record.updated_ms),
    ]
    sets.extend(set_listed(record.key, record.status, record.updated_ms))
    if record.tags:
        sets.append(Set("tags", dumps(record.tags)))
    if record.notify:
        sets.append(Set("notify", dumps([*record.notify])))
    if record.answers:
        sets.append(Set("answers", dumps(record.answers)))
    if record.arguments is not None:
        sets.extend(set_payload("arguments", record.arguments))
    if record.depth:
        sets.append(Set("depth", record.depth))
    if record.wake_at_ms is not None:
        sets.append(Set("wake_at", record.wake_at_ms))
    if record.due_at_ms is not None:
        sets.append(Set("due_at", record.due_at_ms))
        sets.append(Set("due_shard", due_shard(record.task_id)))
    if record.expires_s is not None:
        sets.append(Set("ttl", record.expires_s))
    sets.extend(
        Set(name, value) for name in OPTIONAL_TEXTS if (value := getattr(record, name)) is not None
    )
    return tuple(sets)
