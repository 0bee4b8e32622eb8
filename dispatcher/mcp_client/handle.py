"""Handle: one task on an MCP server, made by a call or found again by its id."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

import anyio
from mcp import MCPError
from mcp.client.session import ClientSession
from mcp_types import INVALID_PARAMS, CallToolResult

from sqswarm.dispatcher.mcp_client.retry import insist
from sqswarm.dispatcher.mcp_client.wire import (
    DEFAULT_POLL_MS,
    Acknowledged,
    CancelTask,
    CreatedTask,
    GetTask,
    TaskParams,
    TaskState,
    UpdateParams,
    UpdateTask,
)
from sqswarm.schemas.call_meta import IDEMPOTENCY_KEY
from sqswarm.schemas.errors import InputRequired, TaskCancelled, TaskFailed, TaskNotFound, TimedOut
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status

if TYPE_CHECKING:
    import mcp

_SLOWEST_MS = 60_000
CATCHING: ContextVar[list[CreatedTask] | None] = ContextVar("CATCHING", default=None)
"""Where `submit` wants the created task: the extension's claim leaves it here, unresolved."""


class TaskHandle:
    """One task on a server.

    Where the server answered the call at once there is no task: `id` is None, and `result` returns
    the answer.
    """

    def __init__(
        self,
        session: ClientSession,
        task_id: str | None,
        *,
        poll_ms: int | None = None,
        answer: CallToolResult | None = None,
    ) -> None:
        """Handles are made by `submit` and `resume`."""
        self._session = session
        self._answer = answer
        self._state: TaskState | None = None
        self._poll_ms = poll_ms
        self.id = task_id

    @classmethod
    def resume(cls, client: mcp.Client, task_id: str) -> Self:
        """Return the handle of a task made earlier, by whomever; asks nothing yet."""
        return cls(client.session, task_id)

    def __repr__(self) -> str:
        """Show the id."""
        return f"TaskHandle(id={self.id!r})"

    async def get(self) -> TaskState:
        """Return the task as it stands; passing failures are tried again.

        Raises TaskNotFound where the server has no such task (any more).
        """
        if self._state is not None and self._state.status.terminal:
            return self._state
        params = TaskParams(task_id=self._task_id())
        try:
            state = await insist(
                lambda: self._session.send_request(GetTask(params=params), TaskState)
            )
        except MCPError as error:
            raise _error_of(error, self._task_id()) from error
        self._poll_ms = state.poll_interval_ms or self._poll_ms
        self._state = state
        return state

    @property
    def poll_s(self) -> float:
        """Return how often the server wants to be asked, seconds; at least every minute."""
        return min(_SLOWEST_MS, max(1, self._poll_ms or DEFAULT_POLL_MS)) / 1000

    async def wait(self, timeout: float | None = None) -> TaskState | None:  # noqa: ASYNC109 - as in Task.result
        """Wait until the task has ended or asks something; None where there was no task.

        Polls at the server's own pace. Raises TimedOut after `timeout` seconds.
        """
        if self.id is None:
            return None
        ends = None if timeout is None else time.monotonic() + timeout
        while True:
            state = await self.get()
            if state.status is not Status.WORKING:
                return state
            left = self.poll_s if ends is None else ends - time.monotonic()
            if left <= 0:
                message = f"task {self.id} is still {state.status.value} after {timeout} s"
                raise TimedOut(message, hint="It goes on: resume it by its id, or cancel it.")
            await anyio.sleep(min(self.poll_s, left))

    async def result(self, timeout: float | None = None) -> CallToolResult:  # noqa: ASYNC109
        """Wait for the end and return the tool's result (which may be an error: `is_error`).

        Raises TaskFailed, TaskCancelled, TimedOut, and InputRequired where it asks something.
        """
        if self._answer is not None:
            return self._answer
        state = await self.wait(timeout)
        if state is None or state.status is Status.INPUT_REQUIRED:
            keys = ", ".join(state.input_requests or {}) if state else ""
            message = f"task {self.id} waits for answers to: {keys}"
            raise InputRequired(message, hint="Answer with `await task.answer(key, value)`.")
        if state.status is Status.FAILED:
            raise TaskFailed(self._task_id(), state.error or {})
        if state.status is Status.CANCELLED:
            raise TaskCancelled(f"task {self.id} was cancelled")
        return state.call_result()

    async def answer(self, key: str, value: JsonObject | None) -> None:
        """Answer the open question `key` with what its form asks for; None declines.

        For requests that are no elicitation give the whole response, as `respond` does.
        """
        response: JsonObject = {"action": "decline"}
        if value is not None:
            response = {"action": "accept", "content": value}
        await self.respond({key: response})

    async def respond(self, responses: Mapping[str, JsonObject]) -> None:
        """Send responses to open questions; a repeat of one that is answered is ignored there."""
        params = UpdateParams(task_id=self._task_id(), input_responses=dict(responses))
        await self._order(UpdateTask(params=params))

    async def cancel(self) -> None:
        """Ask the server to cancel the task; one that has ended stays as it is."""
        if self.id is not None:
            await self._order(CancelTask(params=TaskParams(task_id=self.id)))

    async def _order(self, request: UpdateTask | CancelTask) -> None:
        try:
            await insist(lambda: self._session.send_request(request, Acknowledged))
        except MCPError as error:
            raise _error_of(error, self._task_id()) from error

    def _task_id(self) -> str:
        if self.id is None:
            message = "the server answered at once: there is no task"
            raise ValueError(message)
        return self.id


async def submit(
    client: mcp.Client,
    tool: str,
    arguments: JsonObject | None = None,
    *,
    idempotency_key: str | None = None,
    meta: JsonObject | None = None,
) -> TaskHandle:
    """Call a tool and return the handle of its task, without waiting for the task's end.

    The client needs `extensions=[tasks()]`. A server without the extension (or a tool that ends
    at once) is simply awaited. The call itself is sent once: where no answer comes, the task may
    exist, and only a server that honours `idempotency_key` will give it to a repeat.
    """
    caught: list[CreatedTask] = []
    given = {**(meta or {})}
    if idempotency_key is not None:
        given[IDEMPOTENCY_KEY] = idempotency_key
    token = CATCHING.set(caught)
    try:
        # Through the client, for it also answers what a tool asks before there is a task.
        answer = await client.call_tool(tool, arguments or {}, meta=given or None)  # type: ignore[arg-type]
    finally:
        CATCHING.reset(token)
    if caught:
        created = caught[0]
        return TaskHandle(client.session, created.task_id, poll_ms=created.poll_interval_ms)
    return TaskHandle(client.session, None, answer=answer)


def _error_of(error: MCPError, task_id: str) -> Exception:
    if error.code == INVALID_PARAMS:
        return TaskNotFound(
            f"the server has no task {task_id}: {error}",
            hint="It may have expired, or belong to another server or caller.",
        )
    return error
