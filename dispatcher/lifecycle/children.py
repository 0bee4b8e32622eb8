"""A waiting parent's children: created, counted as they end, and the last resumes it, once.

plan (workers/runtime/suspend.py) → create_children → each child runs and ends → count_in_parent
(through completion.py) → resume_parent. Each may be repeated without harm: ids are derived,
creates, counts and the join are conditional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqswarm.backends.aws.chunks import chunks
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version, within_task
from sqswarm.schemas.journal import PlannedChild, child_id, plan_entry
from sqswarm.schemas.json import dumps, loads, size_bytes
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import ARGUMENTS, INLINE_LIMIT_BYTES, payload_key
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied, Key, Refused

_A_CREATE = 200
_A_COUNT = 50
"""Children counted in one write. Source: DynamoDB, an expression has up to 4 KB."""


async def read_plan(connection: Connection, parent: TaskRecord) -> dict[int, PlannedChild]:
    """Return the children that `parent` planned last, by their number."""
    entry = plan_entry(parent.waits)
    if entry is None:
        return {}
    planned = entry.get("children")
    if planned is None:
        data = await connection.blobs.get(entry["ref"])
        planned = [] if data is None else loads(data)
    children = [PlannedChild.from_json(kept) for kept in planned]
    return dict(enumerate(children, entry["first"]))


async def create_children(connection: Connection, parent: TaskRecord) -> int:
    """Create and publish the children that a waiting parent has planned; return how many.

    May be repeated: ids are derived, creates are conditional. One that exists already is left
    alone: it stands in the sweep index, which publishes it again if that is needed.
    """
    plan = await read_plan(connection, parent)
    return await _create(
        connection, parent, [(n, c) for n, c in plan.items() if n in parent.pending]
    )


async def repair_waiting(connection: Connection, parent: TaskRecord) -> None:
    """See to a waiting parent: create children never created, count ended ones, try the join."""
    plan = await read_plan(connection, parent)
    keys = {n: key_of_child(parent, c) for n, c in plan.items() if n in parent.pending}
    items = await connection.store.read_many(list(keys.values()))
    found = {n: items.get(key) for n, key in keys.items()}
    await _create(connection, parent, [(n, plan[n]) for n, item in found.items() if item is None])
    ended = [n for n, item in found.items() if item and Status(item["status"]).terminal]
    if ended:
        await count_in_parent(connection, parent.key, ended)
    elif not parent.pending:
        await resume_parent(connection, parent)


async def _create(
    connection: Connection, parent: TaskRecord, children: Sequence[tuple[int, PlannedChild]]
) -> int:
    published = 0
    for part in chunks(children, _A_CREATE):
        made = await connection.runner.gather(
            [_record(connection, parent, n, child) for n, child in part]
        )
        outcomes = await connection.store.write_many([protocol.create(record) for record in made])
        ready = [
            record
            for record, outcome in zip(made, outcomes, strict=True)
            # Ours where its answer was lost, too.
            if isinstance(outcome, Applied) or (outcome.item and outcome.item["v"] == record.v)
        ]
        await republish(connection, ready)
        published += len(ready)
    return published


async def _record(
    connection: Connection, parent: TaskRecord, number: int, child: PlannedChild
) -> TaskRecord:
    message = replace(
        child_message(connection, parent, number, child),
        session_id=child.session_id,
        ordering_key=child.ordering_key or child.session_id,
        deadline=parent.deadline,
        traceparent=within_task(parent.traceparent, parent.task_id),
        tracestate=parent.tracestate,
        baggage=parent.baggage,
    )
    text = dumps(child.arguments)
    if size_bytes(text) > INLINE_LIMIT_BYTES:
        key = payload_key(child.agent, message.id, ARGUMENTS)
        # The id says what the arguments are, and a caller's role lets it overwrite nothing.
        ref = await connection.blobs.put(key, text.encode(), once=True)
        message = replace(message, payload_ref=ref)
    else:
        message = replace(message, arguments=child.arguments)
    now = connection.runner.now_ms()
    return TaskRecord.from_message(
        message, depth=parent.depth + 1, now_ms=now, due_at_ms=now + DUE_GRACE_MS
    )


def child_message(
    connection: Connection, parent: TaskRecord, number: int, child: PlannedChild
) -> Message:
    """Return what names a child, without what it is to do."""
    return Message(
        id=child_id(parent.task_id, child.key),
        name=child.agent,
        arguments=None,
        principal=parent.principal,
        parent=f"{parent.task_id}#{number}",
        parent_agent=parent.agent,
        v=new_version(connection.runner.random_bits),
    )


def key_of_child(parent: TaskRecord, child: PlannedChild) -> Key:
    """Return the primary key of a child's record."""
    return task_key(child.agent, child_id(parent.task_id, child.key))


async def count_in_parent(connection: Connection, parent: Key, numbers: Sequence[int]) -> None:
    """Take ended children, by number, out of what their parent waits for; resume it if it may."""
    for part in chunks(numbers, _A_COUNT):
        await _count(connection, parent, part)


async def _count(connection: Connection, parent: Key, numbers: Sequence[int]) -> None:
    outcome = await connection.store.write(protocol.count(parent, numbers))
    if isinstance(outcome, Refused) and len(numbers) > 1:
        # Some of them have been counted before; each of the others still has to be.
        for number in numbers:
            outcome = await connection.store.write(protocol.count(parent, [number]))
    if outcome.item is not None:
        await resume_parent(connection, TaskRecord.from_item(outcome.item))


async def resume_parent(connection: Connection, parent: TaskRecord) -> bool:
    """Fire the join of a parent that waits for no child any more, and publish it.

    One that has fired and that no worker has had is published again: whoever fired it may have
    died before its publish. Returns whether it was published.
    """
    if parent.status is not Status.WORKING:
        return False
    if parent.phase is Phase.WAITING and not parent.pending:
        now = connection.runner.now_ms()
        fired = await connection.store.write(
            protocol.fire(
                parent,
                v=new_version(connection.runner.random_bits),
                now_ms=now,
                due_at_ms=now + DUE_GRACE_MS,
            )
        )
        if fired.item is None:
            return False
        parent = TaskRecord.from_item(fired.item)
        if isinstance(fired, Applied):
            await republish(connection, [parent])
            return True
    untouched = parent.phase is Phase.CHILDREN_DONE and not parent.attempt
    if parent.status is Status.WORKING and untouched:
        await republish(connection, [parent])
        return True
    return False
