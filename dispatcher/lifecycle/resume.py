"""Resume: let parked tasks go on, one of them or all that a deployment may have helped.

A paused one goes on only where it is the one that is meant.

A task whose code still does not fit is parked again: that costs a run, and no attempt. The index of
parked tasks is the list of what is left to do, so a walk that is broken off is simply begun again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from sqswarm.backends.ports.store import Index
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import moment
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import PARKED, listed_under
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied, Key

_A_PAGE = 100


async def resume(connection: Connection, task_id: str, *, agent: str | None = None) -> Status:
    """Let a parked or paused task go on, and return its status.

    Raises TaskNotFound, UnknownAgent where its agent is not deployed, and UsageError for a task
    that is neither.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    if record.parked_now is None and record.paused_now is None:
        message = f"task {task_id} is {record.status.value}, and neither parked nor paused"
        raise UsageError(message, hint="`sqswarm list --status parked` shows those that are.")
    connection.catalogue.agent(record.agent)
    if record.paused_now is not None:
        outcome = await connection.store.write(protocol.unpause(record))
        if outcome.item is not None:  # it may have been parked since it was read
            record = TaskRecord.from_item(outcome.item)
    if record.parked_now is not None:
        await resume_parked(connection, [record])
    return record.status


async def resume_parked(connection: Connection, records: Sequence[TaskRecord]) -> int:
    """Resume and publish parked tasks as they were read; return how many.

    One that somebody else has resumed, ended or parked anew meanwhile is left to that.
    """
    now = connection.runner.now_ms()
    versions = [new_version(connection.runner.random_bits) for _ in records]
    writes = [
        protocol.resume(record, v=v, now_ms=now, due_at_ms=now + DUE_GRACE_MS)
        for record, v in zip(records, versions, strict=True)
    ]
    outcomes = await connection.store.write_many(writes)
    going = [
        replace(record, v=v, publishes=0)
        for record, v, outcome in zip(records, versions, outcomes, strict=True)
        if isinstance(outcome, Applied) or (outcome.item and outcome.item["v"] == v)
    ]
    # Whoever dies before this leaves them in the sweep index.
    await republish(connection, going)
    return len(going)


async def resume_all(
    connection: Connection, agents: Sequence[str], *, before_ms: int | None = None
) -> AsyncGenerator[int]:
    """Resume the tasks of `agents` that are parked now; yields how many, as they go.

    Those that were parked before `before_ms` only, where that is given. What is parked once more
    meanwhile is left: it has met the code of today.
    """
    until_ms = connection.runner.now_ms() if before_ms is None else before_ms
    for agent in agents:
        if agent not in connection.catalogue.agents:
            continue
        below = moment(until_ms)
        while True:
            page = await connection.store.newest(
                Index.STATUS, listed_under(PARKED, agent), until=below, limit=_A_PAGE
            )
            if page.items:
                keys = [Key(pk=item["pk"], sk=item["sk"]) for item in page.items]
                found = await connection.store.read_many(keys)
                records = [TaskRecord.from_item(item) for item in found.values()]
                parked = [one for one in records if one.parked_now and not one.paused_now]
                if parked:
                    yield await resume_parked(connection, parked)
                below = str(page.items[-1]["listed_at"])
            if not page.more or not page.items:
                break
