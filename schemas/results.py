"""Results and errors in MCP's shapes: `CallToolResult` and the JSON-RPC error object.

Stored is the value alone; the text content that MCP wants beside it is made when it is read, so
that a result is not kept twice. Source: MCP 2026-07-28, "Tools: structured content".
"""

from __future__ import annotations

from typing import Any

from sqswarm.schemas.json import JsonObject, dumps, encodable

WRAPPED_KEY = "result"
"""MCP's structuredContent is an object: another value is wrapped under this key."""

INTERNAL_ERROR = -32603
INVALID_PARAMS = -32602
AGENT_FAILED = -32000
"""JSON-RPC 2.0 §5.1: codes -32000 to -32099 are the server's own."""


def object_schema(schema: JsonObject, key: str = WRAPPED_KEY) -> tuple[JsonObject, bool]:
    """Return a schema that describes an object, as MCP wants it, and whether it had to be wrapped.

    Another kind of value is described as an object's one property, `key`.
    """
    target = schema
    if "$ref" in schema:
        target = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if target.get("type") == "object":
        return schema, False
    inner = {name: value for name, value in schema.items() if name != "$defs"}
    wrapped: JsonObject = {"type": "object", "properties": {key: inner}, "required": [key]}
    if "$defs" in schema:
        wrapped["$defs"] = schema["$defs"]
    return wrapped, True


def unwrap(value: JsonObject, *, wrapped: bool) -> Any:
    """Return what an agent returned, of the object that is stored."""
    return value[WRAPPED_KEY] if wrapped else value


def call_tool_result(value: JsonObject, *, wrapped: bool) -> JsonObject:
    """Return the MCP `CallToolResult` of a stored structured value."""
    shown = unwrap(value, wrapped=wrapped)
    text = shown if isinstance(shown, str) else dumps(shown)
    return {
        "content": [{"type": "text", "text": text}],
        "structuredContent": value,
        "isError": False,
    }


def error_object(
    error_type: str, message: str, *, code: int = AGENT_FAILED, attempt: int | None = None
) -> JsonObject:
    """Return a JSON-RPC error object that keeps the error's type beside its message.

    Both may be anybody's text, of any length: what is left of them can be stored.
    """
    data: JsonObject = {"type": encodable(error_type[:200])}
    if attempt is not None:
        data["attempt"] = attempt
    return {"code": code, "message": encodable(message[:4000]), "data": data}


def error_type_of(error: JsonObject) -> str | None:
    """Return the type that `error_object` keeps, None for an error that has none."""
    told = error.get("data")
    kind = told.get("type") if isinstance(told, dict) else None
    return kind if isinstance(kind, str) else None
