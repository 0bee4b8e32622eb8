"""MCP: tools of servers, over connections that a warm process keeps.

Imported when an agent with MCP servers runs: the SDK is half a second of a cold start.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

import mcp_types
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from sqswarm.backends.secrets import is_reference, secret
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.workers.claude.config import McpServer
from sqswarm.workers.claude.tools import Tool, ToolCall, ToolError, recorded, told
from sqswarm.workers.durable.context import TaskContext

_NAME_LIMIT = 64
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")


def tool_name(server: str, tool: str) -> str:
    """Return a name for the model: the server's before the tool's, short and without clashes."""
    name = f"{_UNFIT.sub('_', server)}__{_UNFIT.sub('_', tool)}"
    if len(name) <= _NAME_LIMIT and not _UNFIT.search(tool):
        return name
    digest = sha256(f"{server} {tool}".encode()).hexdigest()[:8]
    return f"{name[: _NAME_LIMIT - 9]}_{digest}"


@dataclass(frozen=True, kw_only=True)
class McpTool(Tool):
    """One tool of a server. `original` is its name there."""

    server: McpServer
    original: str

    async def definition(self, ctx: TaskContext) -> JsonObject:
        """Its definition came with the list of its server's."""
        raise NotImplementedError

    async def call(self, tool_call: ToolCall) -> str:
        """Call it as a step; a dead server is an error the model is told."""

        async def body() -> str:
            return await call_tool(self.server, self.original, tool_call.arguments)

        return await recorded(tool_call, self.name, body, server=self.server.name)


async def tools_of_server(
    ctx: TaskContext, server: McpServer
) -> tuple[list[McpTool], list[JsonObject], str | None]:
    """Return a server's tools that the agent is allowed, their definitions, or what is wrong.

    JournalEntry: a resumed task has the tools it had before.
    """

    async def listed() -> JsonObject:
        try:
            return {"tools": await list_tools(server)}
        except Exception as error:
            return told(error)

    found: JsonObject = await ctx.step(f"tools of {server.name}", listed)
    tools = [
        McpTool(
            name=tool_name(server.name, one["name"]),
            approve=server.asks_before(one["name"]),
            server=server,
            original=one["name"],
        )
        for one in found.get("tools", ())
        if server.allows(one["name"])
    ]
    allowed = [one for one in found.get("tools", ()) if server.allows(one["name"])]
    # The API makes a part of the system prompt of them: quoted, they are what a server says.
    definitions = [
        {
            "description": f"The server {server.name!r} says of it: {dumps(one['description'])}",
            "input_schema": one["input_schema"],
        }
        for one in allowed
    ]
    return tools, definitions, found.get("error")


async def list_tools(server: McpServer) -> list[JsonObject]:
    """Return the names, descriptions and schemas of a server's tools."""
    async with asyncio.timeout(server.connect_s):
        client = await _mcp_connection(server).client()
        try:
            tools = await _all_tools(client)
        except Exception:
            _mcp_connection(server).drop()
            raise
    return [
        {
            "name": one.name,
            "description": one.description or "",
            "input_schema": dict(one.input_schema),
        }
        for one in tools
    ]


async def _all_tools(client: Client) -> list[mcp_types.Tool]:
    page = await client.list_tools()
    tools = list(page.tools)
    while page.next_cursor:
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools


async def call_tool(server: McpServer, name: str, arguments: JsonObject) -> str:
    """Call a tool and return its text; raises ToolError for a failed call or a dead server.

    A connection that broke is made anew by the next call: this one may have been carried out.
    """
    if not server.allows(name):
        message = f"{name!r} is not among the tools that are allowed"
        raise ToolError(message)
    connection = _mcp_connection(server)
    try:
        async with asyncio.timeout(server.connect_s):
            client = await connection.client()
        async with asyncio.timeout(server.timeout_s):
            result = await client.call_tool(name, arguments)
    except MCPError as error:
        connection.drop_if_closed(error)
        message = f"the MCP server {server.name!r} says: {error}"
        raise ToolError(message) from error
    except TimeoutError as error:
        connection.drop()
        message = f"the MCP server {server.name!r} did not answer in {server.timeout_s:g} s"
        raise ToolError(message) from error
    except Exception as error:
        connection.drop()
        message = f"the MCP server {server.name!r} is not there: {type(error).__name__}: {error}"
        raise ToolError(message) from error
    text = _text_of(result)
    if result.is_error:
        raise ToolError(text or "the tool failed and did not say why")
    return text


def _text_of(result: mcp_types.CallToolResult) -> str:
    parts: list[str] = []
    for block in result.content:
        if isinstance(block, mcp_types.TextContent):
            parts.append(block.text)
        elif isinstance(block, mcp_types.EmbeddedResource):
            text = getattr(block.resource, "text", None)
            parts.append(text if text is not None else f"[resource {block.resource.uri}]")
        else:
            parts.append(f"[{block.type}]")
    if not parts and result.structured_content is not None:
        parts.append(dumps(result.structured_content))
    return "\n".join(parts)


class McpConnection:
    """One server's client, held open by a task of its own: it must end where it began."""

    def __init__(self, server: McpServer) -> None:
        """Connect when it is first needed."""
        self._server = server
        self._lock = asyncio.Lock()
        self._holder: asyncio.Task[None] | None = None
        self._client: Client | None = None

    async def client(self) -> Client:
        """Return the open client; raises what the connection failed with."""
        async with self._lock:
            if self._client is not None and self._holder and not self._holder.done():
                return self._client
            opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(opened))
            try:
                self._client = await opened
            except BaseException:
                self.drop()
                raise
            return self._client

    async def _hold(self, opened: asyncio.Future[Client]) -> None:
        try:
            client = Client(await _target(self._server))
            async with client:
                if not opened.done():
                    opened.set_result(client)
                await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            opened.cancel()
        except BaseException as error:
            if not opened.done():
                opened.set_exception(_first(error))

    def drop(self) -> None:
        """Let the connection go; the next call makes another."""
        if self._holder is not None:
            self._holder.cancel()
        self._holder, self._client = None, None

    def drop_if_closed(self, error: MCPError) -> None:
        """Let it go where the error says that it is closed."""
        if error.error.code == mcp_types.CONNECTION_CLOSED:
            self.drop()


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _target(server: McpServer) -> Any:
    if server.command is not None:
        return StdioServerParameters(
            command=server.command,
            args=list(server.args),
            env=await _resolved(server.env),
            cwd=server.cwd,
        )
    if not server.headers:
        return str(server.url)
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    headers = await _resolved(server.headers)
    return streamable_http_client(
        str(server.url), http_client=httpx2.AsyncClient(headers=headers, timeout=server.timeout_s)
    )


async def _resolved(values: Mapping[str, str]) -> dict[str, str]:
    return {
        name: await secret(value) if is_reference(value) else value
        for name, value in values.items()
    }


_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, McpConnection]] = (
    WeakKeyDictionary()
)


def _mcp_connection(server: McpServer) -> McpConnection:
    made = _connections.setdefault(asyncio.get_running_loop(), {})
    key = repr(server)
    if key not in made:
        made[key] = McpConnection(server)
    return made[key]


async def disconnect() -> None:
    """Close this loop's connections: for tests; a worker's end with its process."""
    for connection in _connections.pop(asyncio.get_running_loop(), {}).values():
        holder = connection._holder  # noqa: SLF001 - its own module
        connection.drop()
        if holder is not None:
            await asyncio.gather(holder, return_exceptions=True)
