"""Calls: `tools/call` from its arguments to a stored task, and for some clients to its result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, CallToolRequestParams

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.server.mcp import elicitation
from sqswarm.dispatcher.server.mcp.elicitation_results import take_answers
from sqswarm.dispatcher.server.mcp.progress import Progress
from sqswarm.dispatcher.server.mcp.request_context import (
    Context,
    Who,
    can_be_asked,
    own_task,
    raw_params,
)
from sqswarm.dispatcher.server.mcp.task_result import TASK_RESULT, wanted_task
from sqswarm.dispatcher.server.mcp.wire import failed_call, json_rpc_error, status_of, tool_result
from sqswarm.dispatcher.server.stage import Stage
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.view import opened
from sqswarm.schemas import call_meta
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidArguments, PublishFailed, UsageError
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord, input_requests

_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A call whose arguments are complete and valid: nothing is written yet."""

    connection: Connection
    entry: CatalogueEntry
    request: Request


class Calls:
    """The way of a call, shared by clients that get a task and those that wait."""

    def __init__(self, stage: Stage, who: Who) -> None:
        """Serve `stage` to those that `who` tells apart."""
        self._stage = stage
        self._who = who

    async def prepare(
        self, context: Context, params: CallToolRequestParams
    ) -> Prepared | JsonObject:
        """Return the call ready to be submitted, or the result that says why it is not.

        Raises -32602 for an unknown tool.
        """
        connection = self._stage.connection(self._who(context))
        entry = connection.catalogue.agents.get(params.name)
        if entry is None:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {params.name[:100]}")
        arguments = dict(params.arguments or {})
        if absent := elicitation.missing(entry, arguments):
            said = elicitation.filled_in(
                arguments, absent, raw_params(context).get("inputResponses")
            )
            if said is None:
                return failed_call(f"{', '.join(absent)}: asked for, and declined.")
            if said == arguments and can_be_asked(context):
                return elicitation.form(entry, absent)
            arguments = said
        try:
            connection.validator(entry).encode(arguments)
        except UsageError as error:
            return failed_call(str(error))
        meta = raw_params(context).get("_meta") or {}
        request = Request(
            arguments=arguments,
            durable=True,
            idempotency_key=_text(meta, call_meta.IDEMPOTENCY_KEY),
            session_id=_text(meta, call_meta.SESSION_ID),
        )
        return Prepared(connection=connection, entry=entry, request=request)

    async def submit(self, prepared: Prepared) -> TaskRecord:
        """Store and publish the task, and return its record as the table has it.

        Raises -32603 where it was stored and could not be published (housekeeping will), and
        UsageError for an idempotency key that is another call's.
        """
        try:
            (made,) = await submit(prepared.connection, prepared.entry.name, [prepared.request])
        except PublishFailed as error:
            raise MCPError(code=INTERNAL_ERROR, message=str(error)) from error
        return await own_task(prepared.connection, made.task_id)

    async def waited(self, context: Context, params: CallToolRequestParams) -> JsonObject:
        """Answer a call with its result, or after the server's patience with the task's id."""
        if params.name == TASK_RESULT:
            connection = self._stage.connection(self._who(context))
            try:
                wanted = wanted_task(params.arguments)
            except InvalidArguments as error:
                return failed_call(str(error))
            record = await own_task(connection, wanted)
            return await self._answered(context, connection, record)
        state = raw_params(context).get("requestState")
        if isinstance(state, str):
            return await self._resumed(context, params, state)
        prepared = await self.prepare(context, params)
        if not isinstance(prepared, Prepared):
            return prepared
        try:
            record = await self.submit(prepared)
        except UsageError as error:
            return failed_call(str(error))
        return await self._answered(context, prepared.connection, record)

    async def _resumed(
        self, context: Context, params: CallToolRequestParams, state: str
    ) -> JsonObject:
        """Go on with a call whose task asked in between.

        The state is the task's id in the open, and how many answers there were: whoever sends
        another's finds nothing by it, and any instance of the server can read it.
        """
        task_id, dot, number = state.partition(".")
        if not (dot and number.isdecimal()):
            raise MCPError(code=INVALID_PARAMS, message="requestState is none of this server's")
        connection = self._stage.connection(self._who(context))
        record = await own_task(connection, task_id)
        if record.agent != params.name:
            raise MCPError(code=INVALID_PARAMS, message="requestState belongs to another tool")
        return await self._answered(context, connection, record)

    async def _answered(
        self, context: Context, connection: Connection, record: TaskRecord
    ) -> JsonObject:
        task_id = record.task_id
        responses = raw_params(context).get("inputResponses")
        progress = Progress(context, streams=self._stage.settings.streams)
        record = await self._patiently(connection, task_id, responses or {}, progress)
        match status_of(record):
            case Status.COMPLETED:
                return tool_result(await opened(connection, record))
            case Status.FAILED:
                error = json_rpc_error(record)
                raise MCPError(code=error["code"], message=error["message"], data=error.get("data"))
            case Status.CANCELLED:
                return failed_call(f"Task {task_id} was cancelled.")
            case Status.INPUT_REQUIRED if can_be_asked(context):
                return {
                    "resultType": "input_required",
                    "inputRequests": input_requests(record.asks),
                    "requestState": f"{task_id}.{len(record.answers)}",
                }
            case Status.INPUT_REQUIRED:
                asked = "; ".join(f"{key}: {a['message']}" for key, a in record.asks.items())
                return _unfinished(record, f"waits for an answer ({asked})")
            case Status.WORKING:
                return _unfinished(
                    record, f"is still working after {self._stage.settings.wait_s:g} s"
                )

    async def _patiently(
        self, connection: Connection, task_id: str, responses: Mapping[str, Any], progress: Progress
    ) -> TaskRecord:
        """Return the task once it ends or asks what `responses` do not say, or as it stands then.

        Raises -32602 for an answer that breaks its question's schema.
        """
        ends = time.monotonic() + self._stage.settings.wait_s
        pause_s = _FIRST_PAUSE_S
        while True:
            record = await own_task(connection, task_id)
            if record.status is Status.INPUT_REQUIRED and record.asks.keys() & responses.keys():
                try:
                    await take_answers(connection, task_id, responses)
                except InvalidArguments as error:
                    raise MCPError(code=INVALID_PARAMS, message=str(error)) from error
                continue
            left_s = ends - time.monotonic()
            if record.status is not Status.WORKING or left_s <= 0:
                return record
            await progress.tell(record)
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


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


def _text(meta: JsonObject, name: str) -> str | None:
    value = meta.get(name)
    return value if isinstance(value, str) and value else None
