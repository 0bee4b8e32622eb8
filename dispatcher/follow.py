"""Follow: tasks until they end, one until it ends or asks; the only loop that waits for tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from math import inf

from sqswarm.backends.runner import Runner
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import TaskView, find, find_many, input_required, not_found, open_view
from sqswarm.schemas.errors import TimedOut
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord

_PAUSE_S = 0.015
_PAUSE_SHARE = 0.08
"""Pause between two looks: this, and this share of what has been waited. With the look itself a
result is had within 20 ms + 10 % of its task's time (docs/howto/pay_less.md: what that reads).
"""
_LONGEST_PAUSE_S = 1.0
_WINDOW = 300
"""Keys asked about at once: tasks end in about the order they were published in."""


class _Pace:
    """Pauses between two looks, the longer, the longer nothing has happened; up to the deadline."""

    def __init__(self, runner: Runner, deadline_ms: int | None) -> None:
        self._runner = runner
        self._deadline_ms = deadline_ms
        self._since_ms = runner.now_ms()

    def reset(self) -> None:
        """Look often again: something has happened."""
        self._since_ms = self._runner.now_ms()

    @property
    def left_s(self) -> float:
        """Return the seconds that are left, infinite without a deadline."""
        if self._deadline_ms is None:
            return inf
        return (self._deadline_ms - self._runner.now_ms()) / 1000

    async def pause(self) -> None:
        """Wait until it is time for the next look."""
        waited_s = max(0, self._runner.now_ms() - self._since_ms) / 1000
        pause_s = min(_PAUSE_S + _PAUSE_SHARE * waited_s, _LONGEST_PAUSE_S)
        await self._runner.sleep(min(pause_s, self.left_s))


class Follower:
    """Waits for tasks to end. Without an event of its own the table is asked, ever more seldom.

    Tasks may be added while it runs.
    """

    def __init__(
        self, connection: Connection, *, timeout_s: float | None, wait_for_answers: bool = True
    ) -> None:
        """Start with no tasks; `timeout_s` is how long to wait in all, None for ever.

        Without `wait_for_answers` it gives up where nothing goes on that nobody answers.
        """
        self._connection = connection
        self._wait_for_answers = wait_for_answers
        self._asking: dict[str, TaskRecord] = {}
        self._waiting: dict[str, str | None] = {}
        runner = connection.runner
        deadline_ms = None if timeout_s is None else runner.now_ms() + round(1000 * timeout_s)
        self._pace = _Pace(runner, deadline_ms)

    def add(self, task_ids: Iterable[str], *, agent: str | None = None) -> None:
        """Wait for these too; without their `agent` each is asked for under every agent."""
        self._waiting.update(dict.fromkeys(task_ids, agent))

    @property
    def waiting(self) -> list[str]:
        """Return the tasks that have not ended yet."""
        return list(self._waiting)

    async def ended(self) -> list[TaskView]:
        """Return tasks that have ended since, at least one unless nothing is waited for.

        Raises TimedOut when the time is over, and InputRequired once all that has not ended asks a
        person, unless it waits for answers; what it waited for is still in `waiting`.
        """
        while self._waiting:
            if found := await self.look():
                return found
            if not self._wait_for_answers and len(self._asking) == len(self._waiting):
                raise input_required(next(iter(self._asking.values())))
            if self._pace.left_s <= 0:
                first, *others = self._waiting
                more = f" and {len(others)} others" if others else ""
                message = f"task {first}{more} had not ended in time"
                raise TimedOut(message)
            await self._pace.pause()
        return []

    async def look(self) -> list[TaskView]:
        """Return what has ended by now, without waiting."""
        window = self._window()
        records = await find_many(self._connection, window)
        done = [record for record in records.values() if record.status.terminal]
        for record in records.values():
            if record.status is Status.INPUT_REQUIRED:
                self._asking[record.task_id] = record
            else:
                self._asking.pop(record.task_id, None)
        for record in done:
            del self._waiting[record.task_id]
        if done:
            self._pace.reset()
        elif len(self._waiting) > len(window):
            # The window stands still: let the ones behind it have their turn.
            for task_id in window:
                self._waiting[task_id] = self._waiting.pop(task_id)
        return await self._connection.runner.gather(
            [open_view(self._connection, record) for record in done]
        )

    def _window(self) -> dict[str, str | None]:
        """Return the next tasks to ask about, as many as make about 300 keys; at least one."""
        window: dict[str, str | None] = {}
        keys = 0
        for task_id, agent in self._waiting.items():
            keys += len(self._connection.agents_of(task_id, agent))
            if window and keys > _WINDOW:
                break
            window[task_id] = agent
        return window


async def follow_task(
    connection: Connection,
    task_id: str,
    *,
    agent: str | None = None,
    deadline_ms: int,
    meanwhile: Callable[[TaskRecord], Awaitable[bool | None]],
) -> TaskRecord:
    """Return a task's record once it is not working any more, or as it stands at the deadline.

    `meanwhile` is called between two reads; True from it ends the wait. `deadline_ms` is Unix
    milliseconds. Raises TaskNotFound where this principal has no such task.
    """
    pace = _Pace(connection.runner, deadline_ms)
    while True:
        record = await find(connection, task_id, agent=agent)
        if record is None:
            raise not_found(connection, task_id)
        if record.status is not Status.WORKING or pace.left_s <= 0 or await meanwhile(record):
            return record
        await pace.pause()
