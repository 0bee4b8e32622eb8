"""The task protocol's operations, each as one conditional write (correctness.md, "Operations").

Pure: times come in as Unix milliseconds, versions as values. `v` is the fence: every write of a
worker is a compare-and-set on it, and time alone never is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.agent_spec import Durability
from schemas.json import JsonObject, dumps
from schemas.lifecycle import Phase, Status
from schemas.payload import Payload
from schemas.task import OPTIONAL_TEXTS, TaskRecord, due_shard, task_key
from schemas.writes import Absent, Add, Change, Condition, Eq, Le, Lt, Ne, Remove, Set, Write

_WORKING = Eq("status", Status.WORKING.value)


def create(record: TaskRecord) -> Write:
    """Make the record, due for the sweep, if there is none (`durable` mode)."""
    return Write(key=record.key, when=(Absent(),), changes=_all_of(record))


def acquire_new(record: TaskRecord, *, token: str, lease_until_ms: int) -> Write:
    """Make the record and take its first lease in one write (`standard` mode)."""
    leased = replace(record, v=token, lease_until_ms=lease_until_ms, attempt=1)
    return Write(key=record.key, when=(Absent(),), changes=_all_of(leased))


@dataclass(frozen=True, kw_only=True)
class Lease:
    """What a worker holds while it runs a task: `v` is its token."""

    task_id: str
    v: str
    attempt: int
    until_ms: int
    durability: Durability


def acquire(
    task_id: str, *, expected: str, max_attempts: int, token: str, now_ms: int, lease_until_ms: int
) -> Write:
    """Take the lease of an existing record whose version is `expected`."""
    return Write(
        key=task_key(task_id),
        when=(
            _WORKING,
            Eq("v", expected),
            Ne("phase", Phase.WAITING.value),
            Lt("attempt", max_attempts),
            Le("lease_until", now_ms),
        ),
        changes=(
            Set("v", token),
            Set("lease_until", lease_until_ms),
            Add("attempt", 1),
            Set("updated", now_ms),
        ),
    )


def renew(lease: Lease, *, lease_until_ms: int) -> Write:
    """Prolong the lease that is still ours."""
    return _held(lease, Set("lease_until", lease_until_ms))


def release(lease: Lease, *, now_ms: int, message: str) -> Write:
    """Give the lease back after a failed attempt; `v` stays until the next acquire."""
    return _held(
        lease, Set("lease_until", 0), Set("status_message", message), Set("updated", now_ms)
    )


def progress(lease: Lease, *, now_ms: int, thousandths: int, message: str | None) -> Write:
    """Show how far the attempt is; `thousandths` of the whole."""
    shown = () if message is None else (Set("status_message", message),)
    return _held(lease, Set("progress", thousandths), Set("updated", now_ms), *shown)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a task ends: a result (completed) or an error (failed)."""

    result: Payload | None = None
    wrapped: bool = False
    error: JsonObject | None = None

    @property
    def status(self) -> Status:
        """Return the terminal status."""
        return Status.COMPLETED if self.error is None else Status.FAILED


def settle(lease: Lease, ending: Ending, *, now_ms: int, expires_s: int, owes: bool) -> Write:
    """Record the task's one result under the lease. `owes`: effects follow, so due stays."""
    return _held(lease, *_ended(ending, now_ms=now_ms, expires_s=expires_s, owes=owes))


def settle_lean(record: TaskRecord, ending: Ending, *, now_ms: int, expires_s: int) -> Write:
    """Record the result of a `lean` task, whose record this write makes."""
    kept = (c for c in _all_of(record) if isinstance(c, Set) and c.name != "status")
    changes = _ended(ending, now_ms=now_ms, expires_s=expires_s, owes=True)
    by_name: dict[str, Change] = {c.name: c for c in kept}
    by_name.update({c.name: c for c in changes})
    return Write(key=record.key, when=(Absent(),), changes=tuple(by_name.values()))


def cancel(task_id: str, *, status: Status, now_ms: int, expires_s: int, owes: bool) -> Write:
    """End a task that has a record and is `working` or `input_required`."""
    changes: list[Change] = [
        Set("status", Status.CANCELLED.value),
        Set("lease_until", 0),
        Set("updated", now_ms),
        Set("ttl", expires_s),
    ]
    if not owes:
        changes += [Remove("due_at"), Remove("due_shard")]
    return Write(key=task_key(task_id), when=(Eq("status", status.value),), changes=tuple(changes))


def cancel_unseen(record: TaskRecord) -> Write:
    """Leave a tombstone for a task that has no record yet: its acquire will be refused."""
    return Write(
        key=record.key,
        when=(Absent(),),
        changes=_all_of(replace(record, status=Status.CANCELLED)),
    )


def fail_exhausted(
    task_id: str, *, expected: str, error: JsonObject, now_ms: int, expires_s: int, owes: bool
) -> Write:
    """End a task whose attempts are used up and whose lease is over."""
    ending = Ending(error=error)
    return Write(
        key=task_key(task_id),
        when=(
            _WORKING,
            Eq("v", expected),
            Ne("phase", Phase.WAITING.value),
            Le("lease_until", now_ms),
        ),
        changes=_ended(ending, now_ms=now_ms, expires_s=expires_s, owes=owes),
    )


def republish(record: TaskRecord, *, due_at_ms: int) -> Write:
    """Note that a due task nobody runs is published once more, and when to look again."""
    return Write(
        key=record.key,
        when=(
            _WORKING,
            Eq("v", record.v),
            Eq("due_at", record.due_at_ms or 0),
            Ne("phase", Phase.WAITING.value),
        ),
        changes=(
            Set("publishes", record.publishes + 1),
            Set("due_at", due_at_ms),
            Set("due_shard", due_shard(record.task_id)),
        ),
    )


def clear_due(task_id: str, status: Status) -> Write:
    """Take an ended task out of the sweep index, its effects being done."""
    return Write(
        key=task_key(task_id),
        when=(Eq("status", status.value),),
        changes=(Remove("due_at"), Remove("due_shard")),
    )


def _held(lease: Lease, *changes: Change) -> Write:
    when: tuple[Condition, ...] = (_WORKING, Eq("v", lease.v))
    return Write(key=task_key(lease.task_id), when=when, changes=changes)


def _ended(ending: Ending, *, now_ms: int, expires_s: int, owes: bool) -> tuple[Set | Remove, ...]:
    changes: list[Set | Remove] = [
        Set("status", ending.status.value),
        Set("lease_until", 0),
        Set("updated", now_ms),
        Set("ttl", expires_s),
    ]
    if ending.error is not None:
        changes.append(Set("error", dumps(ending.error)))
    if ending.result is not None:
        changes.extend(_payload("result", ending.result))
    if ending.wrapped:
        changes.append(Set("wrapped", True))
    if not owes:
        changes += [Remove("due_at"), Remove("due_shard")]
    return tuple(changes)


def _payload(name: str, payload: Payload) -> tuple[Set, ...]:
    if payload.inline is not None:
        return (Set(name, payload.inline),)
    return (Set(f"{name}_ref", str(payload.ref)),)


def _all_of(record: TaskRecord) -> tuple[Set, ...]:
    sets = [
        Set("agent", record.agent),
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
    if record.arguments is not None:
        sets.extend(_payload("arguments", record.arguments))
    if record.due_at_ms is not None:
        sets.append(Set("due_at", record.due_at_ms))
        sets.append(Set("due_shard", due_shard(record.task_id)))
    if record.expires_s is not None:
        sets.append(Set("ttl", record.expires_s))
    sets.extend(
        Set(name, value) for name in OPTIONAL_TEXTS if (value := getattr(record, name)) is not None
    )
    return tuple(sets)
