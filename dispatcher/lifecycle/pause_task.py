"""Pause one task: no worker begins a run of it, until it is resumed.

Its record is marked, whoever holds it and whatever it waits for. A run that is under way ends as it
would; the next delivery that would begin one parks the task instead.
"""

from __future__ import annotations

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import dumps
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.paused import Pause
from sqswarm.schemas.task import TaskRecord


async def pause_task(connection: Connection, task_id: str, *, agent: str | None = None) -> Status:
    """Pause a task and return its status; one that is paused already stays so since when it was.

    Raises TaskNotFound, also for one without a record yet, and UsageError for one that has ended
    or is undone.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    now = Pause(at_ms=connection.runner.now_ms(), by=connection.principal)
    outcome = await connection.store.write(protocol.pause(record, paused=dumps(vars(now))))
    seen = record if outcome.item is None else TaskRecord.from_item(outcome.item)
    if seen.status.terminal:
        raise UsageError(f"task {task_id} is {seen.status.value}: there is nothing to pause")
    if seen.undo is not None:
        message = f"task {task_id} is undone, which nothing holds back"
        raise UsageError(message, hint="It ends after that; then it can be redriven.")
    return seen.status
