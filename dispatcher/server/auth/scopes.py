"""Scopes: what a token must allow for a request."""

from __future__ import annotations

import json
from typing import Any

from sqswarm.dispatcher.server.auth.errors import AuthError
from sqswarm.dispatcher.server.identity import Identity

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


def check_scope(caller: Identity, method: str, path: str, body: bytes) -> None:
    """Raise AuthError (403) where the caller was not granted what this request needs."""
    wanted = needed(method, path, body)
    if wanted not in caller.scopes:
        detail = f"the scope {wanted} is needed"
        raise AuthError(403, "insufficient-scope", detail, error="insufficient_scope", scope=wanted)


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
        message = json.loads(body, object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return WRITE  # whoever parses it will refuse it, or see in it what we do not
    return _needed_by(message)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raises ValueError for a name given twice: another parser may differ."""
    made = dict(pairs)
    if len(made) != len(pairs):
        message = "a name is given twice"
        raise ValueError(message)
    return made


def _needed_by(message: Any) -> str:
    """Return what one JSON-RPC message needs; a batch needs what any of its messages needs."""
    if isinstance(message, list):
        return WRITE if any(_needed_by(one) == WRITE for one in message) else READ
    method = message.get("method") if isinstance(message, dict) else None
    if isinstance(method, str) and (method in _READING_MCP or method.startswith("notifications/")):
        return READ
    return WRITE
