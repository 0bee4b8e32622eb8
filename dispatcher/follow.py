"""Follow: tasks until they end, one until it ends or asks; the only loop that waits for tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import TaskView, opened, visible
from sqswarm.schemas.errors import TaskNotFound, TimedOut
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord, task_key

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0
_WINDOW = 300
"""Tasks asked about at once: they end in about the order they were published in."""


class Follower:
    """Waits for tasks to end. Without an event of its own the table is asked, ever more seldom.

    Tasks may be added while it runs. `deadline_ms` is Unix milliseconds, None for no end.
    """

    def __init__(self, connection: Connection, *, timeout_s: float | None) -> None:
        """Start with no tasks and `timeout_s` seconds of patience."""
        self._connection = connection
        self._waiting: dict[str, None] = {}
        self._pause_s = _FIRST_PAUSE_S
        self._deadline_ms = (
            None if timeout_s is None else connection.runner.now_ms() + round(1000 * timeout_s)
        )

    def add(self, task_ids: Iterable[str]) -> None:
        """Wait for these too."""
        self._waiting.update(dict.fromkeys(task_ids))

    @property
    def waiting(self) -> list[str]:
        """Return the tasks that have not ended yet."""
        return list(self._waiting)

    async def ended(self) -> list[TaskView]:
        """Return tasks that have ended since, at least one unless nothing is waited for.

        Raises TimedOut when patience ends first; what it waited for is still in `waiting`.
        """
        while self._waiting:
            found = await self.look()
            if found:
                return found
            await self._rest()
        return []

    async def look(self) -> list[TaskView]:
        """Return what has ended by now, without waiting."""
        window = list(self._waiting)[:_WINDOW]
        records = await read_records(self._connection, window)
        done = [record for record in records if record.status.terminal]
        for record in done:
            del self._waiting[record.task_id]
        if done:
            self._pause_s = _FIRST_PAUSE_S
        elif len(self._waiting) > len(window):
            # The window stands still: let the ones behind it have their turn.
            for task_id in window:
                self._waiting[task_id] = self._waiting.pop(task_id)
        return await self._connection.runner.gather(
            [opened(self._connection, record) for record in done]
        )

    async def _rest(self) -> None:
        pause_s = self._pause_s
        if self._deadline_ms is not None:
            left_s = (self._deadline_ms - self._connection.runner.now_ms()) / 1000
            if left_s <= 0:
                first = next(iter(self._waiting))
                others = f" and {len(self._waiting) - 1} others" if len(self._waiting) > 1 else ""
                message = f"task {first}{others} had not ended in time"
                raise TimedOut(message)
            pause_s = min(pause_s, left_s)
        await self._connection.runner.sleep(pause_s)
        self._pause_s = min(1.5 * self._pause_s, _LONGEST_PAUSE_S)


async def follow_task(
    connection: Connection,
    task_id: str,
    *,
    deadline_ms: int,
    meanwhile: Callable[[TaskRecord], Awaitable[bool | None]],
) -> TaskRecord:
    """Return a task's record once it is not working any more, or as it stands at the deadline.

    `meanwhile` is called between two reads; True from it ends the wait. `deadline_ms` is Unix
    milliseconds. Raises TaskNotFound where this principal has no such task.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        records = await read_records(connection, [task_id])
        if not records:
            message = f"no task {task_id} is visible to {connection.principal}"
            raise TaskNotFound(message)
        left_s = (deadline_ms - connection.runner.now_ms()) / 1000
        if records[0].status is not Status.WORKING or left_s <= 0 or await meanwhile(records[0]):
            return records[0]
        await connection.runner.sleep(min(pause_s, left_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


async def read_records(connection: Connection, task_ids: Sequence[str]) -> list[TaskRecord]:
    """Return the records of those tasks that this principal has, in one read."""
    if not task_ids:
        return []
    items = await connection.store.read_many([task_key(task_id) for task_id in task_ids])
    found = [visible(connection, items.get(task_key(task_id))) for task_id in task_ids]
    return [record for record in found if record is not None]
