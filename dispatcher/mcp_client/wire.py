"""Wire: the messages of the Tasks extension, as the SDK's own models would have them.

Source: MCP extension io.modelcontextprotocol/tasks (SEP-2663), revision 2026-07-28.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from mcp_types import CallToolResult, Request, RequestParams, Result
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status

IDENTIFIER = "io.modelcontextprotocol/tasks"
DEFAULT_POLL_MS = 1000

_CAMEL = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")


class CreatedTask(Result):
    """A call's answer where the server made a task of it."""

    model_config = _CAMEL

    result_type: Literal["task"] = "task"
    task_id: str
    status: Status
    poll_interval_ms: int | None = None


class TaskState(Result):
    """One task as its server reports it."""

    model_config = _CAMEL

    task_id: str
    status: Status
    status_message: str | None = None
    poll_interval_ms: int | None = None
    input_requests: dict[str, JsonObject] | None = None
    """Open questions by key, each an MCP request; only while `status` is input_required."""
    result: JsonObject | None = None
    error: JsonObject | None = None

    def call_result(self) -> CallToolResult:
        """Return the tool's result; raises ValueError for a completed task that has none."""
        if self.result is None:
            message = f"task {self.task_id} is {self.status.value} and has no result"
            raise ValueError(message)
        return CallToolResult.model_validate(self.result)


class TaskParams(RequestParams):
    """Parameters that name a task."""

    model_config = _CAMEL

    task_id: str


class UpdateParams(TaskParams):
    """Answers to a task's open questions."""

    input_responses: dict[str, Any]


class Acknowledged(BaseModel):
    """The answer to an order; it says nothing."""

    model_config = ConfigDict(extra="allow")


class GetTask(Request[TaskParams, Literal["tasks/get"]]):
    """Ask how a task is."""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams


class UpdateTask(Request[UpdateParams, Literal["tasks/update"]]):
    """Answer a task's questions."""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams


class CancelTask(Request[TaskParams, Literal["tasks/cancel"]]):
    """Cancel a task."""

    name_param: ClassVar[str | None] = "taskId"
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams
