"""Owed: what an ended task still owes other tasks. All of it may be repeated without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.children import cancel_children
from sqswarm.dispatcher.lifecycle.join import count_in_parent
from sqswarm.schemas import protocol
from sqswarm.schemas.journal import parent_of
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class Completion:
    """An ended task, and whose child it is. `due`: it stands in the sweep index until paid."""

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
    await connection.store.write_many([protocol.clear_due(*paid) for paid in cleared.items()])
