"""What a caller sees of a task: its record, and its result or error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import (
    InputRequired,
    SwarmError,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
)
from sqswarm.schemas.ids import is_task_id
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import GONE, PAYLOAD_DAYS, Payload
from sqswarm.schemas.results import call_tool_result, unwrap
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Item

_SHOWN = 500


@dataclass(frozen=True, kw_only=True)
class TaskView:
    """One task as it stands. `value` is the structured result of a completed task."""

    record: TaskRecord
    value: JsonObject | None = None

    @property
    def id(self) -> str:
        """Return the task's id."""
        return self.record.task_id

    @property
    def status(self) -> Status:
        """Return the task's status."""
        return self.record.status

    def to_json(self) -> JsonObject:
        """Return MCP's task fields, the swarm's own, and `result`, the `CallToolResult`."""
        shown = self.record.to_json()
        if self.value is not None:
            shown["result"] = call_tool_result(self.value, wrapped=self.record.wrapped)
        return shown

    def result(self) -> Any:
        """Return what the agent returned, as JSON has it.

        Raises TaskFailed or TaskCancelled for a task that ended so, ValueError before its end.
        """
        ended = ending_error(self.record)
        if ended is not None:
            raise ended
        if self.value is None:
            message = f"task {self.id} is {self.status.value}: it has no result yet"
            raise ValueError(message)
        return unwrap(self.value, wrapped=self.record.wrapped)


def ending_error(record: TaskRecord) -> SwarmError | None:
    """Return the error that a task's end means for who waits for its result."""
    if record.status is Status.FAILED:
        return TaskFailed(record.task_id, record.error or {})
    if record.status is Status.CANCELLED:
        return TaskCancelled(f"task {record.task_id} was cancelled")
    return None


def input_required(record: TaskRecord) -> InputRequired:
    """Return the error that a task's open questions mean for who waits for its result."""
    questions = {
        key: {"message": asked.get("message", ""), "schema": asked.get("schema", {})}
        for key, asked in record.asks.items()
    }
    asked = "; ".join(f"{key!r}: {one['message'][:_SHOWN]}" for key, one in questions.items())
    key = next(iter(questions), "KEY")
    return InputRequired(
        f"task {record.task_id} of {record.agent!r} asks {asked or 'a person'}",
        hint=(
            f"Answer with task.answer({key!r}, value) or `sqswarm answer {record.task_id} "
            f"{key} JSON`; wait_for_answers=True (--wait-for-answers) waits for somebody to."
        ),
        task_id=record.task_id,
        questions=questions,
    )


def visible(connection: Connection, item: Item | None) -> TaskRecord | None:
    """Return the record if this principal may see it: another's task is like an unknown one."""
    if item is None:
        return None
    record = TaskRecord.from_item(item)
    return record if connection.operator or record.principal == connection.principal else None


async def find(
    connection: Connection, task_id: str, *, agent: str | None = None
) -> TaskRecord | None:
    """Return the record of a task, or None where this principal has none.

    Without its `agent` it is asked for under every agent; see `find_many`.
    """
    if not is_task_id(task_id):
        message = f"{task_id!r} is not a task id"
        raise TaskNotFound(
            message, hint="A task id looks like 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11."
        )
    agents = connection.agents_of(task_id, agent)
    if len(agents) == 1:
        return visible(connection, await connection.store.read(task_key(agents[0], task_id)))
    return (await find_many(connection, {task_id: agent})).get(task_id)


async def find_many(
    connection: Connection, tasks: Mapping[str, str | None]
) -> dict[str, TaskRecord]:
    """Return the records of those tasks that this principal has, by id, in one read.

    `tasks` names each one's agent, or None: then it is asked for under every agent that the stage
    has or had, and the process remembers where it was found. An id that several agents have is
    one that somebody copied: none of them is believed, and who names the agent finds its task.
    """
    keys = {
        task_id: [task_key(one, task_id) for one in connection.agents_of(task_id, agent)]
        for task_id, agent in tasks.items()
    }
    items = await connection.store.read_many([key for several in keys.values() for key in several])
    found: dict[str, TaskRecord] = {}
    for task_id, several in keys.items():
        records = [
            record for key in several if (record := visible(connection, items.get(key))) is not None
        ]
        if len(records) == 1:
            found[task_id] = records[0]
            connection.remember(task_id, records[0].agent)
    return found


def not_found(connection: Connection, task_id: str) -> TaskNotFound:
    """Return the error for a task that this principal does not have."""
    return TaskNotFound(f"no task {task_id} is visible to {connection.principal}")


async def view(connection: Connection, task_id: str, *, agent: str | None = None) -> TaskView:
    """Return a task with its result; raises TaskNotFound where this principal has none."""
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    return await open_view(connection, record)


async def state(connection: Connection, task_id: str, *, agent: str | None = None) -> Any:
    """Return what a task's agent exposed last, None for nothing; raises TaskNotFound."""
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    return record.exposed


async def open_view(connection: Connection, record: TaskRecord) -> TaskView:
    """Return the view of a record, its result fetched from S3 where it lies there."""
    if record.result is None:
        return TaskView(record=record)
    return TaskView(record=record, value=loads(await read_payload(connection, record.result)))


async def read_payload(connection: Connection, payload: Payload) -> str:
    """Return a payload's JSON text; raises TaskNotFound where its claim check is gone."""
    if payload.inline is not None:
        return payload.inline
    data = await connection.blobs.get(str(payload.ref))
    if data is None:
        message = f"{payload.ref} {GONE}"
        raise TaskNotFound(message, hint=f"It is kept for {PAYLOAD_DAYS} days; submit it again.")
    return data.decode()
