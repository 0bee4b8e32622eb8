"""Child tasks: an agent describes them, suspends, and finds their results when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.jsonable import encoded
from sqswarm.dispatcher.typed import Parse, R
from sqswarm.dispatcher.validate import check_names
from sqswarm.dispatcher.view import read_payload
from sqswarm.schemas.errors import ChildFailed, TaskNotFound, UndeclaredCall, UnknownAgent
from sqswarm.schemas.journal import DEPTH_LIMIT, WIDTH_LIMIT, PlannedChild, child_id, child_key
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import error_object, unwrap
from sqswarm.schemas.task import TaskRecord, task_key, task_of
from sqswarm.schemas.writes import Item, Key
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.durable.journal_entry import child_name
from sqswarm.workers.runtime.outcome import ChildrenWait, Fail


@dataclass(frozen=True, kw_only=True)
class ChildTask(Generic[R]):
    """A task that an agent would like to have run: `ctx.gather` runs it."""

    agent: str
    arguments: Any
    ordering_key: str | None = None
    session_id: str | None = None
    parse: Parse | None = field(default=None, repr=False, compare=False)


async def run_children(
    journal: Journal, tasks: Sequence[ChildTask[Any]], *, return_exceptions: bool
) -> list[Any]:
    """Return the results of child tasks in order, or suspend until there are some.

    Raises the first ChildFailed, or returns failures in their places. Raises UnknownAgent,
    UndeclaredCall and InvalidArguments before anything is planned; depth and width over the limits
    fail the task.
    """
    planned = [_planned(journal, task) for task in tasks]
    if not planned:
        return []
    names = [child_name(child.key) for child in planned]
    async with journal.operation(names) as (operation, found):
        new = [child for child in planned if child_name(child.key) not in found]
        if new:
            async with journal.machinery():
                await _check(journal, new)
            await journal.suspend(operation, [ChildrenWait(children=tuple(new))])
        async with journal.machinery():
            parents = {child.key: found[child_name(child.key)].of for child in planned}
            results = await _results(journal, planned, parents)
    results = [
        value if task.parse is None or isinstance(value, ChildFailed) else task.parse(value)
        for task, value in zip(tasks, results, strict=True)
    ]
    failed = next((r for r in results if isinstance(r, ChildFailed)), None)
    if failed is not None and not return_exceptions:
        raise failed
    return results


def _planned(journal: Journal, task: ChildTask[Any]) -> PlannedChild:
    try:
        _, arguments = encoded(task.arguments, place="arguments")
        what = child_key(task.agent, arguments, 0).rpartition(".")[0]
    except (TypeError, ValueError) as error:
        message = f"arguments of the child task of {task.agent!r} are not JSON: {error}"
        raise Fail(message, type="InvalidArguments") from error
    return PlannedChild(
        key=f"{what}.{journal.number(child_name(what))}",
        agent=task.agent,
        arguments=arguments,
        ordering_key=task.ordering_key,
        session_id=task.session_id,
    )


async def _check(journal: Journal, children: Sequence[PlannedChild]) -> None:
    record = journal.lease.record
    depth = (record.depth if record else 0) + 1
    if depth > DEPTH_LIMIT:
        message = f"this task is {DEPTH_LIMIT} tasks deep already, and tasks may go no deeper"
        raise Fail(message, type="TooDeep")
    if len(children) > WIDTH_LIMIT:
        message = f"{len(children):,} child tasks at a time; {WIDTH_LIMIT:,} are possible"
        raise Fail(message, type="TooWide")
    connection = await journal.worker.connection.with_catalogue()
    caller = journal.worker.spec.name
    for child in children:
        check_names(session_id=child.session_id, ordering_key=child.ordering_key)
        try:
            entry = connection.catalogue.callee(caller, child.agent)
        except (UnknownAgent, UndeclaredCall):  # this worker may be older than the agent
            connection = await journal.worker.connection.with_catalogue(fresh=True)
            entry = connection.catalogue.callee(caller, child.agent)
        connection.validator(entry).encode(
            child.arguments, what=f"arguments of the child task of {child.agent!r}"
        )


async def _results(
    journal: Journal, children: Sequence[PlannedChild], parents: Mapping[str, str | None]
) -> list[Any]:
    """Return what children came to; those that are reused are of another parent than this task."""
    connection = await journal.worker.connection.with_catalogue()
    own = journal.lease.task_id
    ids = [child_id(parents[child.key] or own, child.key) for child in children]
    keys = [task_key(child.agent, one) for child, one in zip(children, ids, strict=True)]
    items = await connection.store.read_many(keys)
    return await connection.runner.gather(
        [_result(connection, key, items.get(key)) for key in keys]
    )


async def _result(connection: Connection, key: Key, item: Item | None) -> Any:
    """Return what a child returned, or its ChildFailed."""
    agent, task_id = task_of(key)
    if item is None:
        return ChildFailed(task_id, agent, error_object("Expired", "its record is gone"))
    record = TaskRecord.from_item(item)
    if record.status is Status.CANCELLED:
        return ChildFailed(task_id, agent, error_object("Cancelled", "it was cancelled"))
    if record.result is None:
        return ChildFailed(task_id, agent, record.error or error_object("Unfinished", ""))
    try:
        value = loads(await read_payload(connection, record.result))
    except TaskNotFound as error:
        return ChildFailed(task_id, agent, error_object("Expired", str(error)))
    return unwrap(value, wrapped=record.wrapped)
