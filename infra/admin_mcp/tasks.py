"""Tasks: look at them, start them, end them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from sqswarm import Request, TaskView
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import CHANGES, ENDS, Shape
from sqswarm.infra.admin_mcp.text import cut
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.errors import InputRequired, TaskCancelled, TaskFailed, TimedOut
from sqswarm.schemas.json import JsonObject

TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]
TaskId = Annotated[
    str,
    Field(description="A task's id.", examples=["0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"]),
]
_SHOWN_RESULT = 20_000
_WAIT_LIMIT_S = 300


class Task(Shape):
    """One task as it stands."""

    task_id: str
    agent: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    status_message: str | None = Field(description="Progress, in the agent's words.")
    error: JsonObject | None = Field(description="Why it failed: code, message and data.type.")
    details: JsonObject = Field(description="Attempts, open questions, links to other tasks.")


class Tasks(Shape):
    """Some tasks, the newest first."""

    tasks: list[Task]
    cursor: str | None = Field(description="Give it to list-tasks for more; null at the end.")
    total: int | None = Field(description="How many there are in all, where that is known.")
    looked_back_to: str | None = Field(description="How far back it looked, where there is more.")


class TaskWithResult(Task):
    """One task with its result."""

    result_json: str | None = Field(description="The result as JSON text; null before its end.")
    result_cut: bool = Field(description="True where resultJson was cut off for its length.")


class Ended(Shape):
    """What a task's status is after an order."""

    task_id: str
    status: TaskStatus


class Submitted(Shape):
    """A task that was started."""

    task_id: str
    agent: str
    status: TaskStatus
    result_json: str | None = Field(description="Its result, where waited for and there.")
    error: str | None = Field(description="Why it failed, where waited for.")


_OWN = ("taskId", "agent", "status", "createdAt", "lastUpdatedAt", "statusMessage", "error")


def task_fields(view: TaskView) -> JsonObject:
    """Return the fields of a Task."""
    fields = view.to_json()
    fields.pop("result", None)
    details = {name: value for name, value in fields.items() if name not in _OWN}
    return {**{name: fields.get(name) for name in _OWN}, "details": details}


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_tasks(
        *,
        status: Annotated[
            TaskStatus | Literal["parked"] | None,
            Field(description="Only tasks of this status; `parked` ones wait for code that fits."),
        ] = None,
        agent: Annotated[str | None, Field(description="Only tasks of this agent.")] = None,
        since: Annotated[
            str | None,
            Field(description="Only what moved since: 15m, 1h, 7d ago, or an ISO 8601 time."),
        ] = None,
        until: Annotated[str | None, Field(description="Up to then; as since.")] = None,
        principal: Annotated[str | None, Field(description="Only this principal's.")] = None,
        error_type: Annotated[
            str | None, Field(description="Only failures of this type, such as WorkerLost.")
        ] = None,
        where: Annotated[
            dict[str, str] | None, Field(description="Tags that the tasks have, by name.")
        ] = None,
        cursor: Annotated[
            str | None, Field(description="From the page before, with the same filters.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
    ) -> Tasks:
        """List the swarm's tasks, the newest first, without their results.

        Use it to find failed, stuck or recent tasks; for one known task use get-task. Changes
        nothing. A page reads a bounded amount: where much is filtered it may be short or empty,
        and its cursor still go on.
        """
        with context.swarm() as swarm:
            page = swarm.list(
                status=status,
                agent=agent,
                since=since,
                until=until,
                principal=principal,
                error_type=error_type,
                where=where,
                limit=limit,
                cursor=cursor,
            )
        return Tasks(
            tasks=[Task.model_validate(task_fields(view)) for view in page],
            cursor=page.cursor,
            total=page.total,
            looked_back_to=page.looked_back_to,
        )

    def get_task(task_id: TaskId) -> TaskWithResult:
        """Get one task: status, attempts, error or result.

        A task of durability `standard` has no record until a worker took it. Changes nothing;
        reads one record. Results over 20,000 characters are cut.
        """
        with context.swarm() as swarm:
            view = swarm.get(task_id)
        text, was_cut = cut(view.to_json().get("result"), _SHOWN_RESULT)
        return TaskWithResult.model_validate(
            {**task_fields(view), "resultJson": text, "resultCut": was_cut}
        )

    def submit_task(
        agent: Annotated[str, Field(description="A name from list-agents.")],
        arguments: Annotated[
            dict[str, Any], Field(description="Must fit the agent's inputSchema.")
        ],
        idempotency_key: Annotated[
            str | None,
            Field(description="Give one where you may repeat the call: it returns the first task."),
        ] = None,
        tags: Annotated[
            dict[str, str] | None, Field(description="What list-tasks finds it by (where).")
        ] = None,
        wait_seconds: Annotated[
            int, Field(ge=0, le=_WAIT_LIMIT_S, description="Wait so long for the result.")
        ] = 0,
    ) -> Submitted:
        """Start one task for an agent and return its id; with wait_seconds also its result.

        The agent's code runs, with whatever effects and costs it has. Wrong arguments are refused
        before anything is sent. If the time ends first the task goes on: ask get-task later.
        """
        request = Request(
            arguments=arguments, idempotency_key=idempotency_key, durable=True, tags=tags
        )
        result, error = None, None
        with context.swarm() as swarm:
            (task,) = swarm.submit_many(agent, [request])
            if wait_seconds:
                try:
                    result = task.result(timeout=wait_seconds)
                except (TaskFailed, TaskCancelled) as ended:
                    error = str(ended)
                except (TimedOut, InputRequired):
                    pass  # its status tells
            status = swarm.get(task.id).status
        text, _ = cut(result, _SHOWN_RESULT) if status == "completed" else (None, False)
        return Submitted.model_validate(
            {
                "taskId": task.id,
                "agent": agent,
                "status": status.value,
                "resultJson": text,
                "error": error,
            }
        )

    def cancel_task(task_id: TaskId) -> Ended:
        """Cancel a task that has not ended; its child tasks are cancelled too.

        It cannot be undone, though the task can be submitted anew. What the agent did already
        stays done. A task that had ended keeps its status, which is what is returned.
        """
        with context.swarm() as swarm:
            swarm.get(task_id)  # an unknown id would get a tombstone
            return Ended.model_validate({"taskId": task_id, "status": swarm.cancel(task_id).value})

    yield OperationTool(name="list-tasks", title="List tasks", function=list_tasks)
    yield OperationTool(name="get-task", title="Get a task", function=get_task)
    yield OperationTool(
        name="submit-task", title="Submit a task", function=submit_task, annotations=CHANGES
    )
    yield OperationTool(
        name="cancel-task", title="Cancel a task", function=cancel_task, annotations=ENDS
    )
