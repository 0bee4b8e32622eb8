"""The MCP server: every deployed agent is a tool, every call a task of the swarm."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import HandlerResult
from mcp.server.extension import Extension, MethodBinding, RequestHandler, compose_tool_call_handler
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from sqswarm.dispatcher.server.mcp import task_result
from sqswarm.dispatcher.server.mcp.elicitation import shown_schema
from sqswarm.dispatcher.server.mcp.request_context import Context, Who, declares_tasks, http_caller
from sqswarm.dispatcher.server.mcp.resources import Resources
from sqswarm.dispatcher.server.mcp.subscriptions import Listening
from sqswarm.dispatcher.server.mcp.tasks import TasksExtension
from sqswarm.dispatcher.server.mcp.tools import Calls
from sqswarm.dispatcher.server.stage import Stage
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.json import JsonObject

_INSTRUCTIONS = """\
Agents of the sqswarm stage "{stage}". Each tool is an agent; each call becomes a durable task with
exactly one recorded result, which survives this server. Calls that take long are answered with a
task where the client declares io.modelcontextprotocol/tasks; other clients get the id of a task
that is not done in {wait:g} s, and fetch its result with the tool task_result or from
task://ID/result."""


class McpServer:
    """The protocol's side of a server. `streams` is None where the transport holds none open."""

    def __init__(self, stage: Stage, who: Who = http_caller) -> None:
        """Build the server of `stage`; `who` tells its callers apart."""
        calls = Calls(stage, who)
        resources = Resources(stage, who)
        self._stage = stage
        self.streams = Listening(stage, who) if stage.settings.streams else None
        seconds = CacheHint(ttl_ms=round(1000 * stage.settings.catalogue_s), scope="private")
        self.server: Server[Any] = Server(
            "sqswarm",
            version=_version(),
            title=f"sqswarm {stage.stage}",
            instructions=_INSTRUCTIONS.format(stage=stage.stage, wait=stage.settings.wait_s),
            cache_hints={
                "tools/list": seconds,
                "prompts/list": seconds,
                "resources/list": seconds,
                "resources/templates/list": seconds,
            },
            get_tool_input_schema=stage.input_schema,
            on_list_tools=self._list_tools,
            on_list_resources=resources.list,
            on_list_resource_templates=resources.templates,
            on_read_resource=resources.read,
            on_list_prompts=_no_prompts,
            on_subscriptions_listen=self.streams.listen if self.streams else None,
        )
        install(self.server, TasksExtension(stage, calls, who), _handler(calls))

    def close(self) -> None:
        """End the open streams in good order."""
        if self.streams is not None:
            self.streams.close()

    async def _list_tools(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Return the agents in the order of their names, on one page: a stage holds a few dozen."""
        del params
        tools = [shown_tool(entry) for entry in self._stage.catalogue.agents.values()]
        if not declares_tasks(ctx):
            tools.append(task_result.definition())
        return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in tools])


def shown_tool(entry: CatalogueEntry) -> JsonObject:
    """Return an agent as MCP clients see it."""
    return {**entry.tool(), "inputSchema": shown_schema(entry)}


def install(server: Server[Any], extension: Extension, call_tool: RequestHandler) -> None:
    """Give a low-level server an extension, round its `tools/call`.

    MCPServer would do it, but its tools are functions; ours are the catalogue's.
    """
    server.extensions[extension.identifier] = extension.settings()
    for binding in extension.methods():
        server.add_request_handler(binding.method, binding.params_type, _gated(binding))
    composed = compose_tool_call_handler([extension], call_tool)

    async def handle(ctx: Context, params: types.CallToolRequestParams) -> HandlerResult:
        result = await composed(ctx, params)
        # The wire asks every object for its kind; a task's and a form's say theirs.
        return {"resultType": "complete", **result} if isinstance(result, dict) else result

    server.add_request_handler("tools/call", types.CallToolRequestParams, handle)


async def _no_prompts(
    ctx: Context, params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    """Return an empty list: agents declare no prompts, and clients ask all the same."""
    del ctx, params
    return types.ListPromptsResult(prompts=[])


def _handler(calls: Calls) -> RequestHandler:
    async def call_tool(ctx: Context, params: types.CallToolRequestParams) -> HandlerResult:
        return await calls.waited(ctx, params)

    return call_tool


def _gated(binding: MethodBinding) -> RequestHandler:
    """Return the handler, for the revisions it belongs to."""
    versions = binding.protocol_versions

    async def handle(ctx: Context, params: Any) -> HandlerResult:
        if versions is not None and ctx.protocol_version not in versions:
            raise MCPError(
                code=types.METHOD_NOT_FOUND, message="Method not found", data=binding.method
            )
        return await binding.handler(ctx, params)

    return handle


def _version() -> str:
    try:
        return version("sqswarm")
    except PackageNotFoundError:  # inside a function's archive
        return ""
