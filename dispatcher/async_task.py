"""AsyncTask: a handle of one task; its methods are coroutines."""

from __future__ import annotations

from typing import Any, Generic, Protocol

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.follow import Follower
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.send import send
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.timeline import DEPTH, LIMIT, timeline
from sqswarm.dispatcher.typed import Parse, R
from sqswarm.dispatcher.view import TaskView, ending_error, find, state
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import Timeline


class Handle(Protocol):
    """What names a task: its id, and its agent; `parse` makes its result what that says."""

    id: str
    agent: str
    parse: Parse | None


class AsyncTask(Generic[R]):
    """A handle of one task; see `Task`."""

    def __init__(
        self,
        connection: Connection,
        submitted: Submitted,
        ended: TaskView | None = None,
        parse: Parse | None = None,
    ) -> None:
        """Handles are made by AsyncSwarm; `parse` makes a result what its agent says."""
        self._connection = connection
        self.parse = parse
        self._ended = ended
        self.id = submitted.task_id
        self.agent = submitted.agent

    def __repr__(self) -> str:
        """Show agent and id."""
        return f"AsyncTask(agent={self.agent!r}, id={self.id!r})"

    async def status(self) -> Status:
        """Return the task's status now; a task that no worker has seen yet is `working`."""
        if self._ended is not None:
            return self._ended.status
        record = await find(self._connection, self.id, agent=self.agent)
        return Status.WORKING if record is None else record.status

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the contract's name
        *,
        wait_for_answers: bool = False,
    ) -> R:
        """Wait for the task's end and return what the agent returned; see `Task.result`."""
        if self._ended is None:
            follower = Follower(
                self._connection, timeout_s=timeout, wait_for_answers=wait_for_answers
            )
            follower.add([self.id], agent=self.agent)
            (self._ended,) = await follower.ended()
        value: R = self._ended.result()
        return value if self.parse is None else self.parse(value)

    async def error(self) -> SwarmError | None:
        """Return the error a failed or cancelled task ended with, None before or otherwise."""
        record = (
            self._ended.record
            if self._ended
            else await find(self._connection, self.id, agent=self.agent)
        )
        return None if record is None else ending_error(record)

    async def timeline(self, *, depth: int = DEPTH, limit: int = LIMIT) -> Timeline:
        """Return what became of the task; see `Swarm.timeline`."""
        return await timeline(self._connection, self.id, agent=self.agent, depth=depth, limit=limit)

    async def cancel(self) -> Status:
        """Cancel the task and return the status it ended with."""
        return await cancel(self._connection, self.id, agent=self.agent)

    async def send(self, topic: str, value: Any, *, idempotency_key: str | None = None) -> Status:
        """Send a value into the task; see `Swarm.send`."""
        return await send(
            self._connection,
            self.id,
            topic,
            value,
            idempotency_key=idempotency_key,
            agent=self.agent,
        )

    async def state(self) -> Any:
        """Return what the agent exposed last; see `Swarm.state`."""
        return await state(self._connection, self.id, agent=self.agent)

    async def answer(self, key: str, value: Any) -> Status:
        """Answer one open question of the task; see `Swarm.answer`."""
        return await answer(self._connection, self.id, key, value, agent=self.agent)
