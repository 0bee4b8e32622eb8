"""How a map run stands, from the records of its tasks: nobody writes anything for it.

The run and its spans show what they have counted; a window shows by its record how many of its
rows have ended: those planned, less those it still waits for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.children import key_of_child, read_plan
from sqswarm.dispatcher.view import find, not_found, read_payload
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.map_run import MAP_RUN, RunCounts, prefix
from sqswarm.schemas.task import TaskRecord, task_of


@dataclass(frozen=True, kw_only=True)
class RunArguments:
    """What a run was started with."""

    mapped: str
    rows: str
    total: int
    windows: int
    concurrency: int
    tolerate: int

    @classmethod
    def of(cls, arguments: JsonObject) -> RunArguments:
        """Return them, of a run's task."""
        return cls(**{name: arguments[name] for name in cls.__dataclass_fields__})

    def to_json(self) -> JsonObject:
        """Return the arguments of a run's task."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


async def find_run(connection: Connection, run_id: str) -> tuple[TaskRecord, RunArguments]:
    """Return a run's record and arguments; raises TaskNotFound where it is no run to be seen."""
    record = await find(connection, run_id, agent=MAP_RUN)
    if record is None:
        raise not_found(connection, run_id)
    arguments = await _arguments(connection, record)
    if "part" in arguments:
        message = f"task {run_id} is a part of the run {arguments['run']}"
        raise TaskNotFound(message, hint=f"Ask for the run: {arguments['run']}.")
    return record, RunArguments.of(arguments)


async def run_counts(connection: Connection, run_id: str) -> RunCounts:
    """Return how a run stands; raises TaskNotFound where it is no run to be seen."""
    return await counts_of(connection, *await find_run(connection, run_id))


async def counts_of(
    connection: Connection, record: TaskRecord, arguments: RunArguments
) -> RunCounts:
    """Return how the run of a record stands."""
    done, failed = await _ended(connection, record)
    now_ms = record.updated_ms if record.status.terminal else connection.runner.now_ms()
    passed_s = max(1, now_ms - record.created_ms) / 1000
    rate = done / passed_s
    left = arguments.total - done
    estimate_s = None
    if record.status.terminal or not left:
        estimate_s = 0.0
    elif rate:
        estimate_s = left / rate
    return RunCounts(
        run=record.task_id,
        agent=arguments.mapped,
        started_ms=record.created_ms,
        total=arguments.total,
        done=done,
        failed=failed,
        status=record.status,
        paused=record.paused_now is not None,
        rate=rate,
        estimate_s=estimate_s,
        results=connection.blobs.address(prefix(record.task_id)),
    )


async def _arguments(connection: Connection, record: TaskRecord) -> JsonObject:
    if record.arguments is None:
        return {}
    arguments: JsonObject = loads(await read_payload(connection, record.arguments))
    return arguments


async def _ended(connection: Connection, record: TaskRecord) -> tuple[int, int]:
    """Return how many rows of this part of a run have ended, and how many are known to have failed.

    What a task shows is of the parts that it has counted; those it waits for are looked at.
    """
    if record.result is not None:
        counts = loads(await read_payload(connection, record.result))
        return counts["done"], counts["failed"]
    part = (await _arguments(connection, record)).get("part")
    if part is not None and part[1] - part[0] == 1:
        return record.planned - len(record.pending), 0
    shown = record.exposed or {"done": 0, "failed": 0, "counted": 0}
    children = await _parts(connection, record, first=shown["counted"])
    parts = await connection.runner.gather([_ended(connection, child) for child in children])
    return (
        shown["done"] + sum(done for done, _ in parts),
        shown["failed"] + sum(failed for _, failed in parts),
    )


async def _parts(connection: Connection, record: TaskRecord, *, first: int = 0) -> list[TaskRecord]:
    """Return the parts of a run that a task of it waits for, those numbered from `first`."""
    plan = await read_plan(connection, record)
    keys = [key_of_child(record, one) for n, one in plan.items() if n >= first]
    items = await connection.store.read_many([key for key in keys if task_of(key)[0] == MAP_RUN])
    return [TaskRecord.from_item(item) for key in keys if (item := items.get(key))]


async def tasks_under_way(connection: Connection, record: TaskRecord) -> AsyncGenerator[TaskRecord]:
    """Yield the tasks of a run, without its rows, that have not ended, each before its parts."""
    if record.status.terminal:
        return
    yield record
    now = await connection.store.read(record.key)
    for part in [] if now is None else await _parts(connection, TaskRecord.from_item(now)):
        async for one in tasks_under_way(connection, part):
            yield one


def is_run(record: TaskRecord) -> bool:
    """Tell whether a task of the agent is a run, and no part of one."""
    return record.agent == MAP_RUN and record.parent is None
