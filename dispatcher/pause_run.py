"""Pause a map run: none of its tasks begins anything more, until it is resumed.

Rows that are under way end as they would. Each task is paused before its parts are looked for, so
none of them comes up behind.
"""

from __future__ import annotations

from contextlib import suppress

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.pause_task import pause_task
from sqswarm.dispatcher.lifecycle.resume import resume
from sqswarm.dispatcher.map_progress import find_run, tasks_under_way
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.map_run import MAP_RUN


async def pause_run(connection: Connection, run_id: str) -> Status:
    """Pause a run and return its status; raises UsageError where it has ended."""
    record, _ = await find_run(connection, run_id)
    status = await pause_task(connection, run_id, agent=MAP_RUN)
    async for part in tasks_under_way(connection, record):
        with suppress(UsageError):  # it has ended meanwhile
            await pause_task(connection, part.task_id, agent=MAP_RUN)
    return status


async def resume_run(connection: Connection, run_id: str) -> Status:
    """Let a paused run go on and return its status; raises UsageError where it is not paused."""
    record, _ = await find_run(connection, run_id)
    status = await resume(connection, run_id, agent=MAP_RUN)
    async for part in tasks_under_way(connection, record):
        if part.task_id != run_id:
            with suppress(UsageError):  # it came after the pause, or has ended
                await resume(connection, part.task_id, agent=MAP_RUN)
    return status
