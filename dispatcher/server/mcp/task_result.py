"""task_result: the one tool of the server's own, for clients that cannot hold a task."""

from __future__ import annotations

from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import TASK_RESULT

__all__ = ["TASK_RESULT", "definition", "wanted_task"]


def definition() -> JsonObject:
    """Return its MCP `Tool`."""
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
                "task_id": {"type": "string", "description": "The id which that call told."}
            },
            "required": ["task_id"],
            "additionalProperties": False,
        },
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


def wanted_task(arguments: JsonObject | None) -> str:
    """Return the id that is asked for; raises InvalidArguments where there is none."""
    task_id = (arguments or {}).get("task_id")
    if not isinstance(task_id, str):
        message = f"{TASK_RESULT} needs a task_id, the id of a task"
        raise InvalidArguments(message)
    return task_id
