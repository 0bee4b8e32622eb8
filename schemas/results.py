"""Results and errors in MCP's shapes: `CallToolResult` and the JSON-RPC error object.

Stored is the value alone; the text content that MCP wants beside it is made when it is read, so
that a result is not kept twice. Source: MCP 2026-07-28, "Tools: structured content".
"""

from __future__ import annotations

from sqswarm.schemas.json import JsonObject, dumps

WRAPPED_KEY = "result"
"""MCP's structuredContent is an object: another value is wrapped under this key."""

INTERNAL_ERROR = -32603
INVALID_PARAMS = -32602
AGENT_FAILED = -32000
"""JSON-RPC 2.0 §5.1: codes -32000 to -32099 are the server's own."""


def call_tool_result(value: JsonObject, *, wrapped: bool) -> JsonObject:
    """Return the MCP `CallToolResult` of a stored structured value."""
    shown = value.get(WRAPPED_KEY) if wrapped else value
    text = shown if isinstance(shown, str) else dumps(shown)
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": value,
        "isError": False,
    }


def error_object(
    error_type: str, message: str, *, code: int = AGENT_FAILED, attempt: int | None = None
) -> JsonObject:
    """Return a JSON-RPC error object that keeps the error's type beside its message."""
    data: JsonObject = {"type": error_type}
    if attempt is not None:
        data["attempt"] = attempt
    return {"code": code, "message": message[:4000], "data": data}
