"""Remote end: how a remote task ended or what it asks, as JSON that a step can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqswarm.schemas.errors import InputRequired, TaskCancelled, TaskFailed
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.results import WRAPPED_KEY

if TYPE_CHECKING:
    from sqswarm.dispatcher.mcp_client import TaskHandle


async def ending(handle: TaskHandle) -> JsonObject:
    """Return how a task that has ended did so."""
    try:
        result = await handle.result()
    except TaskFailed as error:
        data = error.error.get("data")
        kind = data.get("type") if isinstance(data, dict) else None
        return failure(str(kind or error.error.get("code")), str(error.error.get("message", "")))
    except TaskCancelled as error:
        return failure("Cancelled", str(error))
    except InputRequired as error:
        return failure("InputRequired", str(error))
    texts = [block.text for block in result.content if block.type == "text"]
    if result.is_error:
        return failure("ToolError", "\n".join(texts))
    value: Any = result.structured_content
    if value is None:
        value = "\n".join(texts)
    elif set(value) == {WRAPPED_KEY}:
        value = value[WRAPPED_KEY]
    return {"value": value}


def form(asked: dict[str, JsonObject]) -> JsonObject:
    """Return the first form among a task's questions, as `asked`; an end where there is none."""
    for key, request in asked.items():
        params = request.get("params") or {}
        if request.get("method") == "elicitation/create" and "requestedSchema" in params:
            return {
                "asked": {
                    "key": key,
                    "message": str(params.get("message", "")),
                    "schema": params["requestedSchema"],
                }
            }
    return failure("Unanswerable", "it asks for what no person can be asked for here")


def failure(kind: str, message: str) -> JsonObject:
    """Return the end of a call that failed."""
    return {"error": {"type": kind, "message": message}}
