"""Wire: a task record in the shapes of MCP's Tasks extension. Pure.

Source: `io.modelcontextprotocol/tasks`, schema 2026-07-28 (SEP-2663).
"""

from __future__ import annotations

from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import AGENT_FAILED, INTERNAL_ERROR, call_tool_result
from sqswarm.schemas.task import TaskRecord, input_requests, iso

_POLL_MIN_MS = 250
_POLL_MAX_MS = 5000

_NOT_THE_AGENTS = frozenset({"WorkerLost"})
"""Failures the agent had no part in, recorded under its code."""


def poll_interval_ms(record: TaskRecord, now_ms: int) -> int:
    """Return when to poll again: a quarter of how long the task has been under way.

    Short tasks are seen to end at once, and long ones do not cost a read a second.
    """
    return max(_POLL_MIN_MS, min((now_ms - record.created_ms) // 4, _POLL_MAX_MS))


def is_tool_error(record: TaskRecord) -> bool:
    """Tell whether a failed task's agent ran and failed: then MCP's status is `completed`.

    MCP's `failed` is for what is no answer of the tool: lost workers, refused arguments, a return
    value that breaks the declared type.
    """
    error = record.error or {}
    kind = (error.get("data") or {}).get("type")
    return error.get("code") == AGENT_FAILED and kind not in _NOT_THE_AGENTS


def status_of(record: TaskRecord) -> Status:
    """Return the task's status as the extension means it."""
    if record.status is Status.FAILED and is_tool_error(record):
        return Status.COMPLETED
    return record.status


def task_fields(record: TaskRecord, now_ms: int) -> JsonObject:
    """Return the extension's `Task`.

    `ttlMs` counts from creation: null while the task is under way, for then it never expires.
    """
    fields: JsonObject = {
        "taskId": record.task_id,
        "status": status_of(record).value,
        "createdAt": iso(record.created_ms),
        "lastUpdatedAt": iso(record.updated_ms),
        "ttlMs": _ttl_ms(record),
        "pollIntervalMs": poll_interval_ms(record, now_ms),
    }
    if record.status_message:
        fields["statusMessage"] = record.status_message
    return fields


def created_task(record: TaskRecord, now_ms: int) -> JsonObject:
    """Return `CreateTaskResult`: flat, and without what only `tasks/get` returns.

    A plain object, not a model: `ttlMs` must be there even where it is null.
    """
    return {"resultType": "task", **task_fields(record, now_ms)}


def detailed_task(view: TaskView, now_ms: int) -> JsonObject:
    """Return `DetailedTask`: with the result, the error or the open questions."""
    record = view.record
    task = task_fields(record, now_ms)
    match status_of(record):
        case Status.COMPLETED:
            task["result"] = tool_result(view)
        case Status.FAILED:
            task["error"] = json_rpc_error(record)
        case Status.INPUT_REQUIRED:
            task["inputRequests"] = input_requests(record.asks)
        case Status.WORKING | Status.CANCELLED:
            pass
    return task


def tool_result(view: TaskView) -> JsonObject:
    """Return the `CallToolResult` of a task that the agent ended."""
    record = view.record
    if record.status is Status.FAILED:
        error = record.error or {}
        kind = (error.get("data") or {}).get("type", "error")
        return failed_call(f"{kind}: {error.get('message', '')}")
    if view.value is None:
        message = f"task {record.task_id} is {record.status.value}: it has no result"
        raise ValueError(message)
    return call_tool_result(view.value, wrapped=record.wrapped)


def json_rpc_error(record: TaskRecord) -> JsonObject:
    """Return the JSON-RPC error of a task that no agent ended."""
    error = dict(record.error or {})
    if error.get("code") in {None, AGENT_FAILED}:
        error["code"] = INTERNAL_ERROR
    error.setdefault("message", "it ended without a reason")
    return error


def failed_call(text: str) -> JsonObject:
    """Return a `CallToolResult` that says why there is no result, for the model to read."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _ttl_ms(record: TaskRecord) -> int | None:
    if record.expires_s is None:
        return None
    return max(1, record.expires_s * 1000 - record.created_ms)
