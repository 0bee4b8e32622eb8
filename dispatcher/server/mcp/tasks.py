"""The Tasks extension (`io.modelcontextprotocol/tasks`, SEP-2663) over the swarm's own tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolRequestParams, RequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict, Field

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.mcp.elicitation import record_elicitation_results
from sqswarm.dispatcher.server.mcp.request_context import (
    TASKS_EXTENSION,
    RequestContext,
    declares_tasks,
    own_task,
)
from sqswarm.dispatcher.server.mcp.tools import PreparedCall, ToolCalls
from sqswarm.dispatcher.server.mcp.wire import created_task, detailed_task, failed_call
from sqswarm.dispatcher.view import open_view
from sqswarm.schemas.as_tool import TaskUse
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import JsonObject


class TaskParams(RequestParams):
    """Parameters of `tasks/get` and `tasks/cancel`."""

    model_config = ConfigDict(extra="allow")

    task_id: str = Field(alias="taskId")


class UpdateParams(TaskParams):
    """Parameters of `tasks/update`: answers by the keys of the open questions."""

    input_responses: dict[str, Any] = Field(alias="inputResponses")


class TasksExtension(Extension):
    """Tasks as MCP clients know them: created by calls, polled, answered and cancelled."""

    identifier = TASKS_EXTENSION

    def __init__(self, context: ServerContext, calls: ToolCalls) -> None:
        """Serve the tasks of `context`, made by `calls`."""
        self._context = context
        self._calls = calls

    def methods(self) -> Sequence[MethodBinding]:
        """Return the three methods, for the revisions that have the extension."""
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        methods = (
            ("tasks/get", TaskParams, self.get),
            ("tasks/update", UpdateParams, self.update),
            ("tasks/cancel", TaskParams, self.cancel),
        )
        return [
            MethodBinding(
                method=method, params_type=params, handler=handler, protocol_versions=versions
            )
            for method, params, handler in methods
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: RequestContext, call_next: CallNext
    ) -> HandlerResult:
        """Answer a call with a task where the client can hold one and the agent allows it.

        The task is stored before the answer is given. Raises -32021 where the agent requires a
        task and the client cannot hold it.
        """
        entry = self._context.catalogue.agents.get(params.name)
        if entry is None or entry.as_tool.task is TaskUse.NEVER:
            return await call_next(ctx)
        if not declares_tasks(ctx):
            if entry.as_tool.task is TaskUse.REQUIRED:
                require_client_extension(ctx, TASKS_EXTENSION)
            return await call_next(ctx)
        prepared = await self._calls.prepare(ctx, params)
        if not isinstance(prepared, PreparedCall):
            return prepared
        try:
            record = await self._calls.submit(prepared)
        except UsageError as error:
            return failed_call(str(error))
        return created_task(record, prepared.connection.runner.now_ms())

    async def get(self, ctx: RequestContext, params: TaskParams) -> JsonObject:
        """Return the task as it stands, read consistently."""
        connection = self._connection(ctx, params)
        record = await own_task(connection, params.task_id)
        return detailed_task(await open_view(connection, record), connection.runner.now_ms())

    async def update(self, ctx: RequestContext, params: UpdateParams) -> JsonObject:
        """Record answers; raises -32602 for one that breaks its question's schema."""
        connection = self._connection(ctx, params)
        await own_task(connection, params.task_id)
        try:
            await record_elicitation_results(connection, params.task_id, params.input_responses)
        except InvalidArguments as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error
        return {}

    async def cancel(self, ctx: RequestContext, params: TaskParams) -> JsonObject:
        """Cancel the task; one that has ended is acknowledged all the same."""
        connection = self._connection(ctx, params)
        record = await own_task(connection, params.task_id)
        await cancel(connection, params.task_id, agent=record.agent)
        return {}

    def _connection(self, ctx: RequestContext, params: TaskParams) -> Connection:
        """Return the caller's connection, once the request is one of the extension's.

        The capability comes first: who does not declare the extension learns nothing about ids.
        """
        require_client_extension(ctx, TASKS_EXTENSION)
        check_name_header(ctx, params.task_id)
        return self._context.connection(identity_of(ctx.request))


def check_name_header(ctx: RequestContext, task_id: str) -> None:
    """Raise -32020 where the `Mcp-Name` header names another task.

    A client has to send it (SEP-2663, "Streamable HTTP: routing headers"), so that proxies can
    route to the instance that holds the task. Here every instance holds every task: a client that
    leaves it out, as FastMCP's does, loses nothing by it, and the suite tests a mismatch alone
    (SEP-2243, "Server behavior"). The SDK checks `Mcp-Method` itself.
    """
    given = ctx.request.headers.get(MCP_NAME_HEADER) if ctx.request is not None else None
    if given is not None and decode_header_value(given.strip()) != task_id:
        message = (
            "Header mismatch: Mcp-Name names another task than params.taskId. "
            "Set Mcp-Name to params.taskId on tasks/get, tasks/update and tasks/cancel (SEP-2663)."
        )
        raise MCPError(code=HEADER_MISMATCH, message=message)
