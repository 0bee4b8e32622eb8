"""What a request's context says of its client, and what goes back before the result."""

from __future__ import annotations

from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import find
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.task import TaskRecord

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"

RequestContext = ServerRequestContext[Any, Any]


def is_modern(ctx: RequestContext) -> bool:
    """Tell whether the request speaks revision 2026-07-28 or later."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def declares_tasks(ctx: RequestContext) -> bool:
    """Tell whether the client may be answered with a task."""
    capabilities = ctx.session.client_capabilities
    extensions = capabilities.extensions if capabilities else None
    return is_modern(ctx) and TASKS_EXTENSION in (extensions or {})


def can_elicit(ctx: RequestContext) -> bool:
    """Tell whether the client puts forms before people, and repeats its call with the answers."""
    capabilities = ctx.session.client_capabilities
    return is_modern(ctx) and capabilities is not None and capabilities.elicitation is not None


def raw_params(ctx: RequestContext) -> JsonObject:
    """Return the request's parameters as they came."""
    return dict(ctx.params or {})


async def own_task(connection: Connection, task_id: str) -> TaskRecord:
    """Return the caller's task.

    Raises -32602 for an unknown id, and in the same words for another principal's.
    """
    try:
        record = await find(connection, task_id)
    except TaskNotFound:
        record = None
    if record is None:
        raise MCPError(code=INVALID_PARAMS, message=f"Task not found: {task_id[:100]}")
    return record


class Progress:
    """Reports one call's progress, where its client asked for it and the transport can carry it."""

    def __init__(self, ctx: RequestContext, *, streams: bool) -> None:
        """Report nothing yet; `streams` is whether anything can go before the result."""
        meta = raw_params(ctx).get("_meta") or {}
        self._token = meta.get("progressToken") if streams else None
        self._ctx = ctx
        self._reported = -1.0

    async def report(self, record: TaskRecord) -> None:
        """Report how far the task is, if that is further than before (MCP: it only grows)."""
        if self._token is None or record.progress is None or record.progress <= self._reported:
            return
        self._reported = record.progress
        await self._ctx.session.send_progress_notification(
            self._token,
            record.progress,
            total=1.0,
            message=record.status_message,
            related_request_id=str(self._ctx.request_id),
        )
