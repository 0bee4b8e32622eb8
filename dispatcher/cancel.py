"""Cancel: end a task for good, whether a worker has seen it yet or not."""

from __future__ import annotations

from dispatcher.desk import Desk
from dispatcher.view import find
from schemas import operations
from schemas.agent_spec import Durability
from schemas.errors import TaskNotFound
from schemas.ids import created_ms, new_version
from schemas.lifecycle import Status
from schemas.task import TaskRecord, task_key
from schemas.writes import Applied


async def cancel(desk: Desk, task_id: str, *, agent: str | None = None) -> Status:
    """Cancel a task and return the status it ended with: another end may have been faster.

    A task that no worker has acquired yet has no record: a tombstone is left, which its acquire
    will find. Raises TaskNotFound for another principal's task.
    """
    while True:
        record = await find(desk, task_id)
        now = desk.runner.now_ms()
        if record is None:
            write = operations.cancel_unseen(_tombstone(desk, task_id, agent, now))
        elif record.status.terminal:
            return record.status
        else:
            write = operations.cancel(
                task_id,
                status=record.status,
                now_ms=now,
                expires_s=desk.expires_s(),
                owes=record.parent is not None,
            )
        if isinstance(await desk.store.write(write), Applied):
            return Status.CANCELLED
        if (
            record is None
            and await desk.store.read(task_key(task_id))
            and not await find(desk, task_id)
        ):
            message = f"no task {task_id} is visible to {desk.principal}"
            raise TaskNotFound(message)


def _tombstone(desk: Desk, task_id: str, agent: str | None, now_ms: int) -> TaskRecord:
    return TaskRecord(
        task_id=task_id,
        agent=agent or "unknown",
        principal=desk.principal,
        status=Status.CANCELLED,
        v=new_version(),
        durability=Durability.STANDARD,
        created_ms=created_ms(task_id) or now_ms,
        updated_ms=now_ms,
        expires_s=desk.expires_s(),
    )
