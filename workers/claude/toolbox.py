"""Toolbox: the tools of one conversation. What is not in it cannot be called, whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqswarm.backends.redact import hide
from sqswarm.schemas.json import JsonObject
from sqswarm.workers.claude.config import McpServer
from sqswarm.workers.claude.tool_output import marked
from sqswarm.workers.claude.tools import Tool, ToolCall, ToolError
from sqswarm.workers.durable.context import TaskContext


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """Tools by name, their definitions as the API takes them, and what is missing today."""

    tools: dict[str, Tool]
    definitions: tuple[JsonObject, ...]
    missing: tuple[str, ...] = ()

    async def answer(self, ctx: TaskContext, block: JsonObject) -> JsonObject:
        """Carry out one `tool_use` block and return its `tool_result`.

        A tool that is not in the box, arguments that do not fit and a person's refusal are
        errors the model is told; nothing is called then.
        """
        name = block["name"]
        tool_call = ToolCall(ctx=ctx, id=block["id"], arguments=block["input"])
        result: JsonObject = {"type": "tool_result", "tool_use_id": tool_call.id}
        try:
            return {**result, "content": marked(name, await self._called(name, tool_call))}
        except ToolError as error:
            ctx.log.warning("tool.refused", tool=name, why=hide(str(error))[:500])
            return {**result, "content": marked(name, str(error)), "is_error": True}

    async def _called(self, name: str, tool_call: ToolCall) -> str:
        tool = self.tools.get(name)
        if tool is None:
            message = f"there is no tool {name!r}; there are {', '.join(self.tools) or 'none'}"
            raise ToolError(message)
        if not isinstance(tool_call.arguments, dict):
            message = "the arguments are no JSON object"
            raise ToolError(message)
        tool.check(tool_call.arguments)
        if tool.approve:
            from sqswarm.workers.claude.approval import approved

            tool_call = replace(tool_call, arguments=await approved(tool, tool_call))
        return await tool.call(tool_call)


async def toolbox(ctx: TaskContext, tools: Sequence[Tool], servers: Sequence[McpServer]) -> Toolbox:
    """Return the box of a conversation; the same again whenever its task is resumed.

    A server that cannot be reached has no tools in it: the model is told that they are missing.
    """
    defined = [await one.definition(ctx) for one in tools]
    box = {one.name: one for one in tools}
    missing: list[str] = []
    if servers:
        from sqswarm.workers.claude.mcp import tools_of_server

        listed = await asyncio.gather(*(tools_of_server(ctx, server) for server in servers))
        for server, (found, definitions, problem) in zip(servers, listed, strict=True):
            if problem is not None:
                # Why is the server's text: it may not speak where the system prompt does.
                missing.append(f"The tools of {server.name!r} are not available.")
                ctx.log.warning("mcp-server.missing", server=server.name, why=problem)
            for one, definition in zip(found, definitions, strict=True):
                if one.name not in box:
                    box[one.name] = one
                    defined.append(definition)
    definitions = [
        {"name": name, **definition} for name, definition in zip(box, defined, strict=True)
    ]
    return Toolbox(tools=box, definitions=tuple(definitions), missing=tuple(missing))
