"""Bulk: redrive or cancel all tasks that match, several at a time, after they were counted.

What is meant are the tasks that are there when it begins: those that come later are newer, and
listings go backwards. An act that is broken off is begun again and goes on where it stopped: a task
that was redriven says so (`redriven_as`), a cancelled one has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.lifecycle.redrive_letters import remove_redriven
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.dispatcher.pace import Pace
from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.errors import InvalidArguments, SwarmError, TaskNotFound, UsageError
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.task_filter import TaskFilter

COUNTED_LIMIT = 10_000
"""Tasks that are counted; there may be more."""

_A_PAGE = 100


class Act(StrEnum):
    """What can be done with many tasks."""

    REDRIVE = "redrive"
    CANCEL = "cancel"


_STATUSES: Mapping[Act, tuple[Status, ...]] = {
    Act.REDRIVE: (Status.FAILED, Status.CANCELLED, Status.COMPLETED),
    Act.CANCEL: (Status.WORKING, Status.INPUT_REQUIRED),
}
"""Of which statuses tasks can be. To redrive, the first is meant where none is named; to cancel,
all are."""


@dataclass(frozen=True, kw_only=True)
class Matched:
    """How many tasks an act would be done with, by agent and by error type.

    `more`: there may be more, the counting stopped. `done` of those that fit had it done before.
    """

    count: int = 0
    more: bool = False
    done: int = 0
    by_agent: Mapping[str, int] = field(default_factory=dict)
    by_error_type: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Return the counts."""
        return {
            "count": self.count,
            "more": self.more,
            "done": self.done,
            "byAgent": dict(self.by_agent),
            "byErrorType": dict(self.by_error_type),
        }


@dataclass(frozen=True, kw_only=True)
class Acted:
    """What became of one task: the `new` one it was redriven as, or the `status` it ended with.

    `error` says why it was left as it is.
    """

    task_id: str
    agent: str
    new: str | None = None
    status: Status | None = None
    error: SwarmError | None = None

    def to_json(self) -> JsonObject:
        """Return the fields."""
        return {
            "taskId": self.task_id,
            "agent": self.agent,
            "newTaskId": self.new,
            "status": self.status and self.status.value,
            "error": str(self.error) if self.error else None,
        }


async def count_matching(
    connection: Connection, act: Act, wanted: TaskFilter, *, limit: int = COUNTED_LIMIT
) -> Matched:
    """Count the tasks that `act` would be done with; raises UsageError for a status it is not for.

    It reads them, a page of 100 a call, and counts `limit` at most.
    """
    count = done = 0
    agents: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    async for views in pages_of(connection, act, wanted):
        for record in (view.record for view in views):
            if count == limit:
                return Matched(
                    count=count, more=True, done=done, by_agent=agents, by_error_type=kinds
                )
            if _is_done(act, record):
                done += 1
                continue
            count += 1
            agents[record.agent] += 1
            if record.error is not None:
                kinds[error_type_of(record)] += 1
    return Matched(count=count, done=done, by_agent=agents, by_error_type=kinds)


async def act_on_matching(
    connection: Connection,
    act: Act,
    wanted: TaskFilter,
    *,
    limit: int | None = None,
    rate_per_s: float | None = None,
    from_step: str | None = None,
    arguments: JsonObject | None = None,
) -> AsyncGenerator[Acted]:
    """Redrive or cancel the tasks that match and yield what became of each.

    Ten go at a time; `limit` and a rate bound them. One that had it done before is passed over.
    They are redriven from `from_step` and with `arguments`, as one is (redrive.py).
    At the end the dead letters of tasks that were redriven go: nobody need look at them any more.
    Raises UsageError for a status that the act is not for.
    """
    pace = Pace(connection.runner, rate_per_s)
    left = limit
    redriven: set[str] = set()
    async for views in pages_of(connection, act, wanted):
        records = [view.record for view in views if not _is_done(act, view.record)]
        while records and left != 0:
            size = pace.size if left is None else min(pace.size, left)
            several, records = records[:size], records[size:]
            left = None if left is None else left - len(several)
            results = await connection.runner.gather(
                [
                    _act_on(connection, act, record, from_step=from_step, arguments=arguments)
                    for record in several
                ]
            )
            redriven.update(one.agent for one in results if one.new is not None)
            for one in results:
                yield one
            await pace.wait(len(several))
        if left == 0:
            break
    for agent in sorted(redriven):
        await remove_redriven(connection, agent)


def error_type_of(record: TaskRecord) -> str:
    """Return the type of the error a task failed with, as its dead letter's reason has it."""
    told = record.error_type or ((record.error or {}).get("data") or {}).get("type")
    return str(told or "failed")


async def _act_on(
    connection: Connection,
    act: Act,
    record: TaskRecord,
    *,
    from_step: str | None,
    arguments: JsonObject | None,
) -> Acted:
    """Do it with one task; its refusal is its own, any other error ends the whole act."""
    task_id, agent = record.task_id, record.agent
    try:
        if act is Act.CANCEL:
            ended = await cancel(connection, task_id, agent=agent)
            return Acted(task_id=task_id, agent=agent, status=ended)
        made = await redrive(
            connection, task_id, agent=agent, from_step=from_step, arguments=arguments
        )
        return Acted(task_id=task_id, agent=agent, new=made.task_id)
    except (UsageError, InvalidArguments, TaskNotFound) as error:
        return Acted(task_id=task_id, agent=agent, error=error)


def _is_done(act: Act, record: TaskRecord) -> bool:
    return act is Act.REDRIVE and record.redriven_as is not None


async def pages_of(
    connection: Connection, act: Act, wanted: TaskFilter
) -> AsyncGenerator[Sequence[TaskView]]:
    """Yield the tasks that fit, a page at a time, the newest first."""
    allowed = _STATUSES[act]
    if wanted.status is not None and wanted.status not in allowed:
        words = ", ".join(status.value for status in allowed)
        message = f"no {wanted.status.value} task can be {_PARTICIPLES[act]}"
        raise UsageError(message, hint=f"Choose one of {words}.")
    named = [wanted.status] if wanted.status else allowed[:1] if act is Act.REDRIVE else allowed
    for status in named:
        async for views in _listed(connection, replace(wanted, status=status)):
            yield views


_PARTICIPLES = {Act.REDRIVE: "redriven", Act.CANCEL: "cancelled"}


async def _listed(connection: Connection, wanted: TaskFilter) -> AsyncGenerator[Sequence[TaskView]]:
    cursor: str | None = None
    while True:
        page = await list_tasks(connection, wanted, limit=_A_PAGE, cursor=cursor)
        if page:  # one that filters much may have none, and go on
            yield page
        cursor = page.cursor
        if cursor is None:
            return
