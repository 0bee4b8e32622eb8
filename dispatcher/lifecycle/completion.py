"""Completion: what an ended task still owes other tasks. All of it may be repeated without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.children import child_message, count_in_parent, read_plan
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import created_ms
from sqswarm.schemas.journal import PlannedChild, child_id, parent_of
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied, Write

_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Completion:
    """An ended task, and whose child it is; `due` where it stands in the sweep index till then."""

    task_id: str
    status: Status
    parent: str | None
    due: bool
    record: TaskRecord | None = None

    @classmethod
    def of(cls, record: TaskRecord) -> Completion:
        """Return what a recorded task that has ended owes."""
        return cls(
            task_id=record.task_id,
            status=record.status,
            parent=record.parent,
            due=record.due_at_ms is not None,
            record=record,
        )


async def apply_completions(connection: Connection, completions: Sequence[Completion]) -> None:
    """Count ended tasks in their parents and resume these; cancel a cancelled one's children.

    Clears due last, so that whatever fails before is done again by housekeeping.
    """
    for completion in completions:
        record = completion.record
        if completion.status is Status.CANCELLED and record and record.phase is Phase.WAITING:
            await cancel_children(connection, record)
    numbers: dict[str, list[int]] = {}
    for completion in completions:
        if completion.parent is not None:
            parent_id, number = parent_of(completion.parent)
            numbers.setdefault(parent_id, []).append(number)
    await connection.runner.gather(
        [count_in_parent(connection, *counted) for counted in numbers.items()]
    )
    cleared = {
        completion.task_id: completion.status for completion in completions if completion.due
    }
    await connection.store.write_many([protocol.clear_due(*ended) for ended in cleared.items()])


async def cancel_children(connection: Connection, parent: TaskRecord) -> None:
    """Cancel the children of a cancelled parent, and theirs; one never created gets a tombstone.

    Nothing is counted in the parent: it has ended.
    """
    plan = await read_plan(connection, parent)
    left = {
        child_id(parent.task_id, child.key): (number, child)
        for number, child in plan.items()
        if number in parent.pending
    }
    for _ in range(_ROUNDS):
        if not left:
            return
        items = await connection.store.read_many([task_key(task_id) for task_id in left])
        writes: dict[str, Write] = {}
        records: dict[str, TaskRecord] = {}
        for task_id, (number, child) in list(left.items()):
            item = items.get(task_key(task_id))
            if item is None:
                writes[task_id] = protocol.cancel_unrecorded(
                    _tombstone(connection, parent, number, child)
                )
                continue
            record = TaskRecord.from_item(item)
            if record.status.terminal:
                del left[task_id]
                continue
            records[task_id] = record
            writes[task_id] = cancel_write(connection, record, owes=record.phase is Phase.WAITING)
        outcomes = await connection.store.write_many(list(writes.values()))
        done = [i for i, o in zip(writes, outcomes, strict=True) if isinstance(o, Applied)]
        for task_id in done:
            del left[task_id]
        await _cancel_grandchildren(connection, [records[i] for i in done if i in records])
    if left:
        message = f"{len(left)} children of {parent.task_id} keep changing; housekeeping goes on"
        raise RuntimeError(message)


async def _cancel_grandchildren(connection: Connection, cancelled: Sequence[TaskRecord]) -> None:
    waiting = [record for record in cancelled if record.phase is Phase.WAITING]
    for record in waiting:
        await cancel_children(connection, record)
    await connection.store.write_many(
        [protocol.clear_due(record.task_id, Status.CANCELLED) for record in waiting]
    )


def cancel_write(connection: Connection, record: TaskRecord, *, owes: bool) -> Write:
    """Return the write that cancels a task as it was read."""
    now = connection.runner.now_ms()
    return protocol.cancel(
        record,
        now_ms=now,
        expires_s=connection.expires_s(),
        owes_until_ms=now + DUE_GRACE_MS if owes else None,
    )


def _tombstone(
    connection: Connection, parent: TaskRecord, number: int, child: PlannedChild
) -> TaskRecord:
    message = child_message(connection, parent, number, child)
    return TaskRecord.from_message(
        message,
        status=Status.CANCELLED,
        depth=parent.depth + 1,
        now_ms=connection.runner.now_ms(),
        created_ms=created_ms(message.id),
        expires_s=connection.expires_s(),
    )
