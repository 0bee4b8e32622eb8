"""Cancel: end a task for good, whether a worker has seen it yet or not."""

from __future__ import annotations

from dataclasses import replace

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.completion import Completion, apply_completions, cancel_write
from sqswarm.dispatcher.view import find
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.ids import created_ms, new_version
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied


async def cancel(connection: Connection, task_id: str, *, agent: str | None = None) -> Status:
    """Cancel a task and its children; return the status it ended with.

    Another end may have been faster.

    A task that no worker has acquired yet has no record: a tombstone is left, which its acquire
    will find. Raises TaskNotFound for another principal's task.
    """
    while True:
        record = await find(connection, task_id)
        if record is None:
            write = protocol.cancel_unrecorded(_tombstone(connection, task_id, agent))
        elif record.status.terminal:
            return record.status
        else:
            write = cancel_write(connection, record, owes=_owes(record))
        if isinstance(await connection.store.write(write), Applied):
            if record is not None:
                due_at_ms = 0 if _owes(record) else None
                ended = replace(record, status=Status.CANCELLED, due_at_ms=due_at_ms)
                await apply_completions(connection, [Completion.of(ended)])
            return Status.CANCELLED
        if (
            record is None
            and await connection.store.read(task_key(task_id))
            and not await find(connection, task_id)
        ):
            message = f"no task {task_id} is visible to {connection.principal}"
            raise TaskNotFound(message)


def _owes(record: TaskRecord) -> bool:
    return record.parent is not None or record.phase is Phase.WAITING


def _tombstone(connection: Connection, task_id: str, agent: str | None) -> TaskRecord:
    now_ms = connection.runner.now_ms()
    message = Message(
        id=task_id, name=agent or "unknown", arguments=None, principal=connection.principal
    )
    return TaskRecord.from_message(
        message,
        v=new_version(connection.runner.random_bits),
        durability=Durability.STANDARD,
        status=Status.CANCELLED,
        now_ms=now_ms,
        created_ms=created_ms(task_id),
        expires_s=connection.expires_s(),
    )
