"""Scopes: what a token must allow for a request."""

from __future__ import annotations

from typing import Any

from dispatcher.door.access.refusal import Refusal
from dispatcher.door.caller import Caller
from schemas.json import loads

READ = "tasks:read"
WRITE = "tasks:write"
OPERATOR = "operator"
"""Sees and steers every principal's tasks."""

ALL = (READ, WRITE, OPERATOR)
USER = frozenset({READ, WRITE})

MCP_PATH = "/mcp"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_MCP = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "server/discover",
        "subscriptions/listen",
        "tasks/get",
        "tools/list",
    }
)
"""MCP methods that start and change nothing; whatever else there may be needs WRITE.

Source: MCP specification 2026-07-28 and the older revisions' own methods.
"""


def check_scope(caller: Caller, method: str, path: str, body: bytes) -> None:
    """Raise Refusal (403) where the caller was not granted what this request needs."""
    wanted = needed(method, path, body)
    if wanted not in caller.scopes:
        detail = f"the scope {wanted} is needed"
        raise Refusal(403, "insufficient-scope", detail, error="insufficient_scope", scope=wanted)


def needed(method: str, path: str, body: bytes) -> str:
    """Return the scope that a request needs.

    MCP posts everything, so its body is looked into: a header that names the method could lie
    to us and be ignored further in.
    """
    if method in _READING:
        return READ
    if path != MCP_PATH and not path.startswith(f"{MCP_PATH}/"):
        return WRITE
    try:
        message = loads(body)
    except (ValueError, RecursionError):
        return WRITE  # no JSON: whoever parses it will refuse it
    return _needed_by(message)


def _needed_by(message: Any) -> str:
    """Return what one JSON-RPC message needs; a batch needs what any of its messages needs."""
    if isinstance(message, list):
        return WRITE if any(_needed_by(one) == WRITE for one in message) else READ
    method = message.get("method") if isinstance(message, dict) else None
    if isinstance(method, str) and (method in _READING_MCP or method.startswith("notifications/")):
        return READ
    return WRITE
