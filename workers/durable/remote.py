"""Remote: an agent calls tools of MCP servers elsewhere, and waits for them without a worker.

A call is made of recorded pieces: the call itself (a step that keeps the remote task's id), sleeps
between polls, questions that the remote task asks, and its end (a step). A later attempt finds them
and goes on polling: it does not call again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from sqswarm.backends.redact import hide, hide_all
from sqswarm.schemas.errors import (
    InputRequired,
    RemoteFailed,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    TimedOut,
    Unreachable,
)
from sqswarm.schemas.heard import ToolUse
from sqswarm.schemas.json import JsonObject, canonical
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.workers.durable.ask import run_form
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.durable.journal_entry import sleep_name, step_name
from sqswarm.workers.durable.remote_server import RemoteServer
from sqswarm.workers.durable.sleep import sleep_under
from sqswarm.workers.durable.step import run_step
from sqswarm.workers.runtime.outcome import Fail

if TYPE_CHECKING:
    from sqswarm.dispatcher.mcp_client import TaskHandle

T = TypeVar("T")

HOLD_S = 3.0
"""How long a worker polls before it lets the task sleep."""

_FIRST_S = 2.0
_LONGEST_S = 300.0
_SLEEPS = 500
_MARGIN_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Remote:
    """The tools of one MCP server, for one run of an agent. Made by `ctx.mcp`."""

    journal: Journal
    url: str
    auth: str | None
    timeout_s: float
    remaining_s: Callable[[], float]

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a tool and return its result; where it becomes a task, wait without a worker.

        The result is the tool's structured content (what is under `result`, where that is all of
        it), else its text. Raises RemoteFailed for whatever the tool or its server ends in, once
        and for all; StepFailed where the server could not be called, which the next attempt tries
        again. What a remote task asks becomes a question of this task: see `sqswarm inbox`.
        """
        journal = self.journal
        base = self._name(tool, arguments)
        created = await run_step(
            journal,
            base,
            _later(self._create, tool, arguments, base),
            returns=None,
            retries=0,
            hidden=False,  # a task's id is whatever the server likes, and goes back as it came
            about=ToolUse(name=tool, server=self.url),
        )
        ended = created.get("ended") or await self._ended(tool, base, created)
        failed = ended.get("error")
        if failed is not None:
            raise RemoteFailed(tool, failed["type"], failed["message"])
        return ended["value"]

    def _name(self, tool: str, arguments: JsonObject) -> str:
        """Return the call's name within the task: what is called with what, and how often before.

        Not its position, for the reason that children have (sqswarm.schemas.journal).
        """
        try:
            said = canonical({"url": self.url, "tool": tool, "arguments": arguments})
        except (TypeError, ValueError) as error:
            message = f"arguments of the remote tool {tool!r} are not JSON: {error}"
            raise Fail(message, type="InvalidArguments") from error
        what = f"mcp {tool[:100]}.{sha256(said.encode()).hexdigest()[:12]}"
        return f"{what}.{self.journal.number(what)}"

    async def _ended(self, tool: str, base: str, created: JsonObject) -> JsonObject:
        """Return how the remote task ended, or suspend until it has."""
        journal, end, number = self.journal, f"{base} end", 0
        while True:
            place = f"{base}.{number}"
            if await journal.knows(sleep_name(place)):
                await sleep_under(journal, place, 0)
            elif await journal.knows(step_name(f"{place} asked#0")):
                await self._question(tool, place, created, {})
            elif await journal.knows(step_name(f"{end}#0")):
                return dict(await run_step(journal, end, _given({}), returns=None, retries=0))
            else:
                told = await self._poll(created)
                if told is None:
                    await sleep_under(journal, place, self._pause_s(number))
                elif "asked" in told:
                    await self._question(tool, place, created, told["asked"])
                else:
                    return dict(await run_step(journal, end, _given(told), returns=None, retries=0))
            number += 1

    def _pause_s(self, number: int) -> float:
        """Return how long to sleep: twice as long each time, up to five minutes.

        Longer where the patience is of weeks: a record holds some two thousand sleeps.
        """
        longest = max(_LONGEST_S, self.timeout_s / _SLEEPS)
        return float(min(longest, _FIRST_S * 2.0 ** min(number, _SLEEPS)))

    async def _question(
        self, tool: str, place: str, created: JsonObject, asked: JsonObject
    ) -> None:
        """Ask our own people what the remote task asks, and pass the answer on."""
        journal = self.journal
        asked = await run_step(
            journal, f"{place} asked", _given(asked), returns=None, retries=0, hidden=False
        )
        key = place.replace(" ", "-")
        answer = await run_form(journal, key, f"{tool}: {asked['message']}", asked["schema"])

        async def pass_on(handle: TaskHandle) -> bool:
            await handle.answer(asked["key"], answer)
            return True

        await run_step(
            journal,
            f"{place} answered",
            _later(self._server.with_task, created["taskId"], pass_on),
            returns=None,
            retries=2,
        )

    async def _create(self, tool: str, arguments: JsonObject, base: str) -> JsonObject:
        """Call the tool; return the id of the task it became, or how it ended."""
        key = f"{self.journal.lease.task_id}/{base}"

        async def create(client: Any) -> JsonObject:
            from sqswarm.dispatcher.mcp_client import submit

            handle = await submit(client, tool, arguments, idempotency_key=key)
            if handle.id is None:
                return {"ended": hide_all(await ending(handle))}
            return {"taskId": handle.id, "at": self.journal.worker.now_ms()}

        return await self._server.connected(create)

    async def _poll(self, created: JsonObject) -> JsonObject | None:
        """Ask for a few seconds how the task is: its end, what it asks, or None for no news.

        A server that cannot be reached is no news: it may be back before our patience ends.
        """
        from sqswarm.dispatcher.mcp_client.retry import is_passing

        journal, task_id = self.journal, created["taskId"]
        late = journal.worker.now_ms() - created["at"] > 1000 * self.timeout_s

        async def look(handle: TaskHandle) -> JsonObject | None:
            hold_s = max(0.0, min(HOLD_S, self._left_s() / 2))
            # A server that fails is insisted on for longer than a worker should be held.
            async with asyncio.timeout(hold_s + _MARGIN_S):
                try:
                    # What has ended in the meantime is told even when it is late.
                    state = await handle.wait(timeout=hold_s)
                except TimedOut:
                    if late:
                        await handle.cancel()
                    return None
            if state is not None and state.input_requests:
                return form(state.input_requests)
            return await ending(handle)

        told = None
        with journal.busy():
            try:
                told = await self._server.with_task(task_id, look)
            except TaskNotFound as error:
                told = failure("TaskNotFound", str(error))
            except Fail:
                raise
            except Exception as error:
                if not (isinstance(error, Unreachable) or is_passing(error)):
                    # JournalEntry as the end: an agent that catches it must meet it again.
                    return failure(type(error).__name__, str(error))
                journal.worker.log.warning(
                    "remote.unreachable", task_id=journal.lease.task_id, why=hide(str(error))[:500]
                )
        if told is None and late:
            return failure("RemoteTimedOut", f"it has not ended within {self.timeout_s:g} s")
        return told

    def _left_s(self) -> float:
        return self.remaining_s() - _MARGIN_S

    @property
    def _server(self) -> RemoteServer:
        return RemoteServer(url=self.url, auth=self.auth, left_s=self._left_s)


def _given(value: JsonObject) -> Callable[[], Awaitable[JsonObject]]:
    async def call() -> JsonObject:
        return value

    return call


def _later(work: Callable[..., Awaitable[T]], *arguments: Any) -> Callable[[], Awaitable[T]]:
    async def call() -> T:
        return await work(*arguments)

    return call


async def ending(handle: TaskHandle) -> JsonObject:
    """Return how a task that has ended did so."""
    try:
        result = await handle.result()
    except TaskFailed as error:
        data = error.error.get("data")
        kind = data.get("type") if isinstance(data, dict) else None
        return failure(str(kind or error.error.get("code")), str(error.error.get("message", "")))
    except TaskCancelled as error:
        return failure("Cancelled", str(error))
    except InputRequired as error:
        return failure("InputRequired", str(error))
    texts = [block.text for block in result.content if block.type == "text"]
    if result.is_error:
        return failure("ToolError", "\n".join(texts))
    value: Any = result.structured_content
    if value is None:
        value = "\n".join(texts)
    elif set(value) == {WRAPPED_KEY}:
        value = value[WRAPPED_KEY]
    return {"value": value}


def form(asked: dict[str, JsonObject]) -> JsonObject:
    """Return the first form among a task's questions, as `asked`; an end where there is none."""
    for key, request in asked.items():
        params = request.get("params") or {}
        if request.get("method") == "elicitation/create" and "requestedSchema" in params:
            return {
                "asked": {
                    "key": key,
                    "message": hide(str(params.get("message", ""))),
                    "schema": hide_all(params["requestedSchema"]),
                }
            }
    return failure("Unanswerable", "it asks for what no person can be asked for here")


def failure(kind: str, message: str) -> JsonObject:
    """Return the end of a call that failed."""
    return {"error": {"type": kind, "message": message}}
