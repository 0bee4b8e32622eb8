"""Task: a handle of one task, AsyncTask run straight through."""

from __future__ import annotations

from typing import Any, Generic

from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.timeline import DEPTH, LIMIT
from sqswarm.dispatcher.typed import R
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import Timeline


class Task(Generic[R]):
    """A handle of one task. `id` and `agent` never change; everything else is asked for."""

    def __init__(self, task: AsyncTask[R]) -> None:
        """Handles are made by Swarm."""
        self._task = task
        self.id = task.id
        self.agent = task.agent
        self.parse = task.parse

    def __repr__(self) -> str:
        """Show agent and id."""
        return f"Task(agent={self.agent!r}, id={self.id!r})"

    def status(self) -> Status:
        """Return the task's status now; a task that no worker has seen yet is `working`."""
        return run_straight(self._task.status())

    def result(self, timeout: float | None = None, *, wait_for_answers: bool = False) -> R:
        """Wait for the task's end and return what the agent returned.

        Where the task was submitted for the agent itself, that is of the type that its annotation
        says (a model, a dataclass, a date); where for its name, it is plain JSON.
        `timeout` is seconds, None for ever. Raises TaskFailed, TaskCancelled or TimedOut.
        A task that asks a person raises InputRequired, with its questions: answer and call again.
        With `wait_for_answers` somebody else's answer is waited for.
        """
        return run_straight(self._task.result(timeout, wait_for_answers=wait_for_answers))

    def error(self) -> SwarmError | None:
        """Return the error a failed or cancelled task ended with, None before or otherwise."""
        return run_straight(self._task.error())

    def timeline(self, *, depth: int = DEPTH, limit: int = LIMIT) -> Timeline:
        """Return what became of the task; see `Swarm.timeline`."""
        return run_straight(self._task.timeline(depth=depth, limit=limit))

    def cancel(self) -> Status:
        """Cancel the task and return the status it ended with."""
        return run_straight(self._task.cancel())

    def send(self, topic: str, value: Any, *, idempotency_key: str | None = None) -> Status:
        """Send a value that the task's `ctx.receive(topic)` returns; see `Swarm.send`."""
        return run_straight(self._task.send(topic, value, idempotency_key=idempotency_key))

    def state(self) -> Any:
        """Return what the agent exposed last, None where that is nothing; see `Swarm.state`."""
        return run_straight(self._task.state())

    def answer(self, key: str, value: Any) -> Status:
        """Answer one open question of the task; see `Swarm.answer`."""
        return run_straight(self._task.answer(key, value))
