"""Tools: what the model may call, as the agent's author lists it.

A Python function, another agent of the swarm, or a person. Each has a name, a schema and a
durable `call`: what it did is recorded, and a resumed task does not do it again.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqswarm.schemas.errors import (
    ChildFailed,
    InvalidAgent,
    InvalidArguments,
    LeaseLost,
    UnknownAgent,
)
from sqswarm.schemas.heard import ToolUse
from sqswarm.schemas.json import JsonObject
from sqswarm.workers.agent import Agent
from sqswarm.workers.claude.tool_output import shown
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.durable.step import return_type, run_step
from sqswarm.workers.runtime.outcome import Fail, Retry
from sqswarm.workers.signature import Signature, compile_signature

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""Source: Messages API, tools.name."""


class ToolError(Exception):
    """What the model is told instead of an output."""


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call that the model asks for; `id` is the model's name for it."""

    ctx: TaskContext
    id: str
    arguments: JsonObject


@dataclass(frozen=True, kw_only=True)
class Tool(ABC):
    """One tool. `approve` asks a person before each call."""

    name: str
    approve: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that the API would refuse."""
        if not _NAME.fullmatch(self.name):
            message = f"a tool is called {self.name!r}; letters, digits, _ and - are possible"
            raise InvalidAgent(message, hint="Give it another: tool(function, name=...).")

    @property
    def code(self) -> tuple[Callable[..., Any] | str | None, ...]:
        """Return what may call agents, as `Agent.code` does; nobody reads a tool of one's own."""
        return (None,)

    @abstractmethod
    async def definition(self, ctx: TaskContext) -> JsonObject:
        """Return `description` and `input_schema`."""

    def check(self, arguments: JsonObject) -> None:  # noqa: B027 - most let their call find out
        """Raise ToolError where the arguments cannot work, before anybody is asked."""

    @abstractmethod
    async def call(self, tool_call: ToolCall) -> str:
        """Do it once for the whole task; returns what the model is told, or raises ToolError."""


async def recorded(
    tool_call: ToolCall, name: str, body: Callable[[], Any], *, server: str | None = None
) -> str:
    """Run `body` as a step; what it raises is recorded too, and raised as ToolError.

    `Fail` and `Retry` pass: they are about the whole task.
    """

    async def attempt() -> JsonObject:
        try:
            return {"output": shown(await body())}
        except (Fail, Retry):
            raise
        except Exception as error:
            return told(error)

    def plain_attempt() -> JsonObject:
        try:
            return {"output": shown(body())}
        except (Fail, Retry):
            raise
        except Exception as error:
            return told(error)

    step = attempt if inspect.iscoroutinefunction(body) else plain_attempt
    outcome = await run_step(
        tool_call.ctx._recorded("a tool"),  # noqa: SLF001 - not for agents, as `about` is
        f"{name} {tool_call.id}"[:200],
        step,
        returns=return_type(step),
        retries=0,
        about=ToolUse(name=name, call_id=tool_call.id, server=server),
    )
    if "error" in outcome:
        raise ToolError(outcome["error"])
    return str(outcome["output"])


def told(error: Exception) -> JsonObject:
    """Return what a step keeps of an error that the model is told."""
    text = str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"
    return {"error": shown(text)}


@dataclass(frozen=True, kw_only=True)
class FunctionTool(Tool):
    """A Python function. One with a `ctx` parameter records its own steps instead of being one."""

    function: Callable[..., Any]
    timeout_s: float = 60.0

    @property
    def code(self) -> tuple[Callable[..., Any], ...]:
        """Return the function."""
        return (self.function,)

    @cached_property
    def signature(self) -> Signature:
        """Return the compiled signature; raises InvalidAgent where it has no schema."""
        return compile_signature(self.name, self.function)

    async def definition(self, ctx: TaskContext) -> JsonObject:  # noqa: ARG002 - others ask it
        """Return the docstring and the schema of the signature."""
        return {
            "description": inspect.getdoc(self.function) or "",
            "input_schema": self.signature.input_schema,
        }

    def check(self, arguments: JsonObject) -> None:
        """Raise ToolError where the arguments do not fit the signature."""
        self._bound(arguments)

    async def call(self, tool_call: ToolCall) -> str:
        """Call the function; a plain one runs on a thread, which no time-out can stop."""
        bound = self._bound(tool_call.arguments)
        if self.signature.takes_context:
            return await self._in_context(tool_call.ctx, bound)
        if not inspect.iscoroutinefunction(self.function):
            return await recorded(tool_call, self.name, lambda: self.function(**bound))

        async def body() -> Any:
            async with asyncio.timeout(self.timeout_s):
                return await self.function(**bound)

        return await recorded(tool_call, self.name, body)

    async def _in_context(self, ctx: TaskContext, bound: Mapping[str, Any]) -> str:
        try:
            return shown(await self.function(**bound, ctx=ctx))
        except (Fail, Retry, LeaseLost):
            raise
        except Exception as error:
            raise ToolError(told(error)["error"]) from error

    def _bound(self, arguments: JsonObject) -> dict[str, Any]:
        from pydantic import ValidationError

        try:
            return self.signature.bind(arguments)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}"
                for one in error.errors(include_url=False)
            )
            message = f"the arguments do not fit: {problems}"
            raise ToolError(message) from error


@dataclass(frozen=True, kw_only=True)
class AgentTool(Tool):
    """Another agent of the swarm: a child task; this one waits without a worker meanwhile."""

    agent: str

    @property
    def code(self) -> tuple[str, ...]:
        """Return the agent."""
        return (self.agent,)

    async def definition(self, ctx: TaskContext) -> JsonObject:
        """Return what the deployed catalogue says; raises Fail where it says nothing."""
        connection = await ctx.worker.connection.with_catalogue()
        try:
            entry = connection.catalogue.agent(self.agent)
        except UnknownAgent:
            connection = await ctx.worker.connection.with_catalogue(fresh=True)
            try:
                entry = connection.catalogue.agent(self.agent)
            except UnknownAgent as error:
                raise Fail(str(error), type="UnknownAgent") from error
        return {"description": entry.description, "input_schema": entry.input_schema}

    async def call(self, tool_call: ToolCall) -> str:
        """Run the child task; its failure is told to the model."""
        try:
            return shown(await tool_call.ctx.call(self.agent, **tool_call.arguments))
        except ChildFailed as error:
            message = f"{error.error_type}: {error.error.get('message', '')}"
            raise ToolError(shown(message)) from error
        except (InvalidArguments, UnknownAgent, TypeError) as error:
            raise ToolError(shown(str(error))) from error


@dataclass(frozen=True, kw_only=True)
class PersonTool(Tool):
    """A person: the question waits in the inbox until somebody answers it."""

    timeout_s: float | None = None
    schema: JsonObject = field(
        default_factory=lambda: {
            "type": "object",
            "properties": {"question": {"type": "string"}},
            "required": ["question"],
        }
    )

    @property
    def code(self) -> tuple[()]:
        """Return nothing: people are no agents."""
        return ()

    async def definition(self, ctx: TaskContext) -> JsonObject:  # noqa: ARG002 - others ask it
        """Return when to ask."""
        return {
            "description": "Ask a person what only people can know or decide; takes a while.",
            "input_schema": self.schema,
        }

    def check(self, arguments: JsonObject) -> None:
        """Raise ToolError where there is no question."""
        if not isinstance(arguments.get("question"), str):
            message = "the arguments do not fit: question is a text"
            raise ToolError(message)

    async def call(self, tool_call: ToolCall) -> str:
        """Ask, and wait without a worker."""
        nobody = "nobody answered"
        self.check(tool_call.arguments)
        answer = await tool_call.ctx.ask(
            self.name,
            tool_call.arguments["question"],
            str,
            timeout=self.timeout_s,
            **({} if self.timeout_s is None else {"on_timeout": nobody}),
        )
        return shown(answer)


def tool(
    what: Callable[..., Any] | Agent[..., Any] | Tool | str,
    /,
    *,
    name: str | None = None,
    approve: bool = False,
    timeout: float = 60.0,
) -> Tool:
    """Return a tool of a function, of an agent, or of the agent that is called `what`.

    `approve` lets a person see, change or refuse each call first. `timeout` is seconds of one
    call of an `async` function. Raises InvalidAgent for what is none of these.
    """
    if isinstance(what, Tool):
        return what
    if isinstance(what, str):
        return AgentTool(name=name or what, approve=approve, agent=what)
    if isinstance(what, Agent):
        return AgentTool(name=name or what.name, approve=approve, agent=what.name)
    if inspect.isfunction(what) or inspect.ismethod(what):
        return FunctionTool(
            name=name or what.__name__, approve=approve, function=what, timeout_s=timeout
        )
    message = f"{what!r} is no tool"
    raise InvalidAgent(message, hint="List functions, agents, their names, or tool(...) of them.")


def ask_person(*, name: str = "ask_person", timeout: float | None = None) -> Tool:
    """Return a tool that asks people; after `timeout` seconds the model hears that nobody did."""
    return PersonTool(name=name, timeout_s=timeout)
