"""Tools: their list, and `tools/call` from its arguments to a task or to its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.follow import follow_task
from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.limits import Account, LimitReached, account_of
from sqswarm.dispatcher.server.mcp import elicitation
from sqswarm.dispatcher.server.mcp.request_context import (
    Progress,
    RequestContext,
    can_elicit,
    own_task,
    raw_params,
)
from sqswarm.dispatcher.server.mcp.wire import failed_call, json_rpc_error, status_of, tool_result
from sqswarm.dispatcher.server.problem import json_rpc_error_of
from sqswarm.dispatcher.submit import Request, check_notify, submit
from sqswarm.dispatcher.view import open_view
from sqswarm.schemas import call_meta
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidArguments, PublishFailed, UsageError
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.naming import TASK_RESULT
from sqswarm.schemas.tags import check_tags
from sqswarm.schemas.task import TaskRecord, input_requests


@dataclass(frozen=True, kw_only=True)
class PreparedCall:
    """A call whose arguments are complete and valid: nothing is written yet."""

    connection: Connection
    account: Account
    entry: CatalogueEntry
    request: Request


class ToolCalls:
    """The way of a call, shared by clients that get a task and those that wait."""

    def __init__(self, context: ServerContext) -> None:
        """Take calls of the agents of `context`."""
        self._context = context

    async def prepare(
        self, ctx: RequestContext, params: CallToolRequestParams
    ) -> PreparedCall | JsonObject:
        """Return the call ready to be submitted, or the result that says why it is not.

        Raises -32602 for an unknown tool.
        """
        connection = self._context.connection(identity_of(ctx.request))
        entry = connection.catalogue.agents.get(params.name)
        if entry is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {params.name[:100]}")
        arguments = dict(params.arguments or {})
        if missing := elicitation.missing_arguments(entry, arguments):
            responses = raw_params(ctx).get("inputResponses")
            filled = elicitation.fill_in(arguments, missing, responses)
            if filled is None:
                return failed_call(f"{', '.join(missing)}: asked for, and declined.")
            if filled == arguments and can_elicit(ctx):
                return elicitation.elicitation_form(entry, missing)
            arguments = filled
        try:
            connection.validator(entry).encode(arguments)
            meta = raw_params(ctx).get("_meta") or {}
            check_tags(meta.get(call_meta.TAGS))
            check_notify(connection, entry, meta.get(call_meta.NOTIFY))
        except UsageError as error:
            return failed_call(str(error))
        request = Request(
            arguments=arguments,
            durable=True,
            idempotency_key=_text_of(meta, call_meta.IDEMPOTENCY_KEY),
            session_id=_text_of(meta, call_meta.SESSION_ID),
            tags=meta.get(call_meta.TAGS),
            notify=meta.get(call_meta.NOTIFY),
        )
        return PreparedCall(
            connection=connection, account=account_of(ctx.request), entry=entry, request=request
        )

    async def submit(self, prepared: PreparedCall) -> TaskRecord:
        """Store and publish the task, and return its record as the table has it.

        Raises -32603 where it was stored and could not be published (housekeeping will), 429 where
        the caller has too many tasks, and UsageError for an idempotency key that is another call's.
        """
        try:
            await prepared.account.make_room(prepared.connection)
            (made,) = await submit(prepared.connection, prepared.entry.name, [prepared.request])
        except LimitReached as reached:
            raise MCPError(**json_rpc_error_of(reached)) from reached
        except PublishFailed as error:
            raise MCPError(code=INTERNAL_ERROR, message=str(error)) from error
        prepared.account.add_tasks({made.task_id: made.agent})
        return await own_task(prepared.connection, made.task_id)

    async def call(self, ctx: RequestContext, params: CallToolRequestParams) -> JsonObject:
        """Answer a call with its result, or after `wait_s` with the task's id."""
        if params.name == TASK_RESULT:
            connection = self._context.connection(identity_of(ctx.request))
            try:
                task_id = task_id_of(params.arguments)
            except InvalidArguments as error:
                return failed_call(str(error))
            record = await own_task(connection, task_id)
            return await self._result(ctx, connection, record)
        state = raw_params(ctx).get("requestState")
        if isinstance(state, str):
            return await self._resume(ctx, params, state)
        prepared = await self.prepare(ctx, params)
        if not isinstance(prepared, PreparedCall):
            return prepared
        try:
            record = await self.submit(prepared)
        except UsageError as error:
            return failed_call(str(error))
        return await self._result(ctx, prepared.connection, record)

    async def _resume(
        self, ctx: RequestContext, params: CallToolRequestParams, state: str
    ) -> JsonObject:
        """Go on with a call whose task asked in between.

        The state is the task's id in the open, and how many answers there were: whoever sends
        another's finds nothing by it, and any instance of the server can read it.
        """
        task_id, dot, number = state.partition(".")
        if not (dot and number.isdecimal()):
            raise MCPError(code=INVALID_PARAMS, message="requestState is none of this server's")
        connection = self._context.connection(identity_of(ctx.request))
        record = await own_task(connection, task_id)
        if record.agent != params.name:
            raise MCPError(code=INVALID_PARAMS, message="requestState belongs to another tool")
        return await self._result(ctx, connection, record)

    async def _result(
        self, ctx: RequestContext, connection: Connection, record: TaskRecord
    ) -> JsonObject:
        task_id = record.task_id
        responses = raw_params(ctx).get("inputResponses")
        progress = Progress(ctx, streams=self._context.settings.streams)
        record = await self._wait(connection, task_id, responses or {}, progress)
        match status_of(record):
            case Status.COMPLETED:
                return tool_result(await open_view(connection, record))
            case Status.FAILED:
                error = json_rpc_error(record)
                raise MCPError(code=error["code"], message=error["message"], data=error.get("data"))
            case Status.CANCELLED:
                return failed_call(f"Task {task_id} was cancelled.")
            case Status.INPUT_REQUIRED if can_elicit(ctx):
                return {
                    "resultType": "input_required",
                    "inputRequests": input_requests(record.asks),
                    "requestState": f"{task_id}.{len(record.answers)}",
                }
            case Status.INPUT_REQUIRED:
                open_ = "; ".join(f"{key}: {a['message']}" for key, a in record.asks.items())
                return _unfinished(record, f"waits for an answer ({open_})")
            case Status.WORKING:
                return _unfinished(
                    record, f"is still working after {self._context.settings.wait_s:g} s"
                )

    async def _wait(
        self, connection: Connection, task_id: str, responses: Mapping[str, Any], progress: Progress
    ) -> TaskRecord:
        """Return the task once it ends or asks what `responses` do not say, or as it stands then.

        Raises -32602 for an answer that breaks its question's schema.
        """
        deadline_ms = connection.runner.now_ms() + round(1000 * self._context.settings.wait_s)
        while True:
            record = await follow_task(
                connection, task_id, deadline_ms=deadline_ms, meanwhile=progress.report
            )
            if not (
                record.status is Status.INPUT_REQUIRED and record.asks.keys() & responses.keys()
            ):
                return record
            try:
                await elicitation.record_elicitation_results(connection, task_id, responses)
            except InvalidArguments as error:
                raise MCPError(code=INVALID_PARAMS, message=str(error)) from error


def _unfinished(record: TaskRecord, what: str) -> JsonObject:
    """Return the answer for a client that cannot hold a task.

    An error, because a tool with an output schema owes structured content otherwise.
    """
    task_id = record.task_id
    doing = f" ({record.status_message})" if record.status_message else ""
    text = (
        f"No result yet: task {task_id} {what}{doing}. It goes on, and this call need not be "
        f'repeated: call the tool {TASK_RESULT} with {{"task_id": "{task_id}"}} for its result, '
        f"or read the resource task://{task_id}/result."
    )
    meta = {call_meta.TASK_ID: task_id, call_meta.STATUS: record.status.value}
    return {**failed_call(text), "_meta": meta}


def _text_of(meta: JsonObject, name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None


def client_tool(entry: CatalogueEntry) -> JsonObject:
    """Return an agent as MCP clients see it."""
    return {**entry.tool(), "inputSchema": elicitation.client_schema(entry)}


def task_result_tool() -> JsonObject:
    """Return the one tool of the server's own: for clients that cannot hold a task."""
    return {
        "name": TASK_RESULT,
        "title": "Task result",
        "description": (
            "Wait for the result of a task that a call has left under way, and return it. "
            "Call it again while the task is still working."
        ),
        "inputSchema": {
            "type": "object",
            "properties": {
                "task_id": {"type": "string", "description": "The id which that call returned."}
            },
            "required": ["task_id"],
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


def task_id_of(arguments: JsonObject | None) -> str:
    """Return the id that is asked for; raises InvalidArguments where there is none."""
    task_id = (arguments or {}).get("task_id")
    if not isinstance(task_id, str):
        message = f"{TASK_RESULT} needs a task_id, the id of a task"
        raise InvalidArguments(message)
    return task_id
