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

from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.mcp.request_context import RequestContext, declares_tasks
from sqswarm.dispatcher.server.mcp.resources import Resources
from sqswarm.dispatcher.server.mcp.subscriptions import Subscriptions
from sqswarm.dispatcher.server.mcp.tasks import TasksExtension
from sqswarm.dispatcher.server.mcp.tools import ToolCalls, client_tool, task_result_tool

_INSTRUCTIONS = """\
Agents of the sqswarm stage "{stage}". Each tool is an agent; each call becomes a durable task with
exactly one recorded result, which survives this server. Calls that take long are answered with a
task where the client declares io.modelcontextprotocol/tasks; other clients get the id of a task
that is not done in {wait:g} s, and fetch its result with the tool task_result or from
task://ID/result."""


class McpServer:
    """The SDK's server with our handlers. `subscriptions` is None where nothing can stream."""

    def __init__(self, context: ServerContext) -> None:
        """Build the server of `context`."""
        calls = ToolCalls(context)
        resources = Resources(context)
        self._context = context
        self.subscriptions = Subscriptions(context) if context.settings.streams else None
        cached = CacheHint(ttl_ms=round(1000 * context.settings.catalogue_s), scope="private")
        self.server: Server[Any] = Server(
            "sqswarm",
            version=_version(),
            title=f"sqswarm {context.stage}",
            instructions=_INSTRUCTIONS.format(stage=context.stage, wait=context.settings.wait_s),
            cache_hints={
                "tools/list": cached,
                "prompts/list": cached,
                "resources/list": cached,
                "resources/templates/list": cached,
            },
            get_tool_input_schema=context.input_schema,
            on_list_tools=self._list_tools,
            on_list_resources=resources.list,
            on_list_resource_templates=resources.templates,
            on_read_resource=resources.read,
            on_list_prompts=_no_prompts,
            on_subscriptions_listen=self.subscriptions.listen if self.subscriptions else None,
        )
        install(self.server, TasksExtension(context, calls), calls.call)

    def close(self) -> None:
        """End the open streams in good order."""
        if self.subscriptions is not None:
            self.subscriptions.close()

    async def _list_tools(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """Return the agents in the order of their names, on one page: a stage holds a few dozen."""
        del params
        tools = [client_tool(entry) for entry in self._context.catalogue.agents.values()]
        if not declares_tasks(ctx):
            tools.append(task_result_tool())
        return types.ListToolsResult(tools=[types.Tool.model_validate(tool) for tool in tools])


def install(server: Server[Any], extension: Extension, call_tool: RequestHandler) -> None:
    """Give a low-level server an extension, round its `tools/call`.

    MCPServer would do it, but its tools are functions; ours are the catalogue's.
    """
    server.extensions[extension.identifier] = extension.settings()
    for binding in extension.methods():
        server.add_request_handler(binding.method, binding.params_type, _for_its_revisions(binding))
    composed = compose_tool_call_handler([extension], call_tool)

    async def handle(ctx: RequestContext, params: types.CallToolRequestParams) -> HandlerResult:
        result = await composed(ctx, params)
        # The wire asks every object for its kind; a task's and a form's say theirs.
        return {"resultType": "complete", **result} if isinstance(result, dict) else result

    server.add_request_handler("tools/call", types.CallToolRequestParams, handle)


async def _no_prompts(
    ctx: RequestContext, params: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    """Return an empty list: agents declare no prompts, and clients ask all the same."""
    del ctx, params
    return types.ListPromptsResult(prompts=[])


def _for_its_revisions(binding: MethodBinding) -> RequestHandler:
    """Return the handler, for the revisions it belongs to."""
    versions = binding.protocol_versions

    async def handle(ctx: RequestContext, params: Any) -> HandlerResult:
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
