"""Owed: what an ended task still owes other tasks. All of it may be repeated without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Desk
from sqswarm.dispatcher.lifecycle.children import cancel_children
from sqswarm.dispatcher.lifecycle.join import count_in_parent
from sqswarm.schemas import protocol
from sqswarm.schemas.journal import parent_of
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class Debt:
    """An ended task, and whose child it is. `due`: it stands in the sweep index until paid."""

    task_id: str
    status: Status
    parent: str | None
    due: bool
    record: TaskRecord | None = None

    @classmethod
    def of(cls, record: TaskRecord) -> Debt:
        """Return what a recorded task that has ended owes."""
        return cls(
            task_id=record.task_id,
            status=record.status,
            parent=record.parent,
            due=record.due_at_ms is not None,
            record=record,
        )


async def pay(desk: Desk, debts: Sequence[Debt]) -> None:
    """Count ended tasks in their parents and resume these; cancel a cancelled one's children.

    Clears due last, so that whatever fails before is done again by housekeeping.
    """
    for debt in debts:
        record = debt.record
        if debt.status is Status.CANCELLED and record and record.phase is Phase.WAITING:
            await cancel_children(desk, record)
    numbers: dict[str, list[int]] = {}
    for debt in debts:
        if debt.parent is not None:
            parent_id, number = parent_of(debt.parent)
            numbers.setdefault(parent_id, []).append(number)
    await desk.runner.gather([count_in_parent(desk, *counted) for counted in numbers.items()])
    cleared = {debt.task_id: debt.status for debt in debts if debt.due}
    await desk.store.write_many([protocol.clear_due(*paid) for paid in cleared.items()])
