"""Asked: what a request's context says of who asks, and what their client can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.server.identity import Identity, identity_of
from sqswarm.dispatcher.view import find
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.task import TaskRecord

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"

Context = ServerRequestContext[Any, Any]
Who = Callable[[Context], Identity]
"""Who sent a request: over HTTP what the access middleware says."""


def http_caller(context: Context) -> Identity:
    """Return the caller of a request that came over HTTP."""
    return identity_of(context.request)


def is_modern(context: Context) -> bool:
    """Tell whether the request speaks revision 2026-07-28 or later."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def declares_tasks(context: Context) -> bool:
    """Tell whether the client may be answered with a task."""
    capabilities = context.session.client_capabilities
    extensions = capabilities.extensions if capabilities else None
    return is_modern(context) and TASKS_EXTENSION in (extensions or {})


def can_be_asked(context: Context) -> bool:
    """Tell whether the client puts forms before people, and repeats its call with the answers."""
    capabilities = context.session.client_capabilities
    return is_modern(context) and capabilities is not None and capabilities.elicitation is not None


def raw_params(context: Context) -> JsonObject:
    """Return the request's parameters as they came."""
    return dict(context.params or {})


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
