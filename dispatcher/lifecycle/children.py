"""Children: create, publish and cancel the tasks that a waiting parent has planned."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.aws.chunks import chunks
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.join import count_in_parent, resume_parent
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.dispatcher.submit import arguments_key
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.ids import created_ms, new_version, next_span
from sqswarm.schemas.journal import PlannedChild, child_id, plan_entry
from sqswarm.schemas.json import dumps, loads, size_bytes
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.payload import INLINE_LIMIT_BYTES, Payload
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied, Write

_AT_ONCE = 200
_ROUNDS = 5


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


async def spawn(connection: Connection, parent: TaskRecord) -> int:
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
    ids = {n: child_id(parent.task_id, c.key) for n, c in plan.items() if n in parent.pending}
    items = await connection.store.read_many([task_key(task_id) for task_id in ids.values()])
    found = {n: items.get(task_key(task_id)) for n, task_id in ids.items()}
    await _create(connection, parent, [(n, plan[n]) for n, item in found.items() if item is None])
    ended = [n for n, item in found.items() if item and Status(item["status"]).terminal]
    if ended:
        await count_in_parent(connection, parent.task_id, ended)
    elif not parent.pending:
        await resume_parent(connection, parent)


async def _create(
    connection: Connection, parent: TaskRecord, children: Sequence[tuple[int, PlannedChild]]
) -> int:
    published = 0
    for part in chunks(children, _AT_ONCE):
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
    task_id = child_id(parent.task_id, child.key)
    text = dumps(child.arguments)
    arguments = Payload(inline=text)
    if size_bytes(text) > INLINE_LIMIT_BYTES:
        ref = await connection.blobs.put(arguments_key(task_id), text.encode())
        arguments = Payload(ref=ref)
    now = connection.runner.now_ms()
    return TaskRecord(
        task_id=task_id,
        agent=child.agent,
        principal=parent.principal,
        status=Status.WORKING,
        v=new_version(connection.runner.random_bits),
        durability=Durability.DURABLE,
        depth=parent.depth + 1,
        created_ms=now,
        updated_ms=now,
        due_at_ms=now + DUE_GRACE_MS,
        arguments=arguments,
        parent=f"{parent.task_id}#{number}",
        session_id=child.session_id,
        ordering_key=child.ordering_key or child.session_id,
        deadline=parent.deadline,
        traceparent=next_span(parent.traceparent, connection.runner.random_bits),
    )


async def cancel_children(connection: Connection, parent: TaskRecord) -> None:
    """Cancel the children of a cancelled parent, and theirs; one never created gets a tombstone.

    Nothing is counted in the parent: it has ended.
    """
    plan = await read_plan(connection, parent)
    left = {
        child_id(parent.task_id, child.key): (number, child)
        for number, child in plan.items()
        if number in parent.pending
    }
    for _ in range(_ROUNDS):
        if not left:
            return
        items = await connection.store.read_many([task_key(task_id) for task_id in left])
        writes: dict[str, Write] = {}
        records: dict[str, TaskRecord] = {}
        for task_id, (number, child) in list(left.items()):
            item = items.get(task_key(task_id))
            if item is None:
                writes[task_id] = protocol.cancel_unseen(
                    _tombstone(connection, parent, task_id, number, child)
                )
                continue
            record = TaskRecord.from_item(item)
            if record.status.terminal:
                del left[task_id]
                continue
            records[task_id] = record
            writes[task_id] = cancelling(connection, record, owes=record.phase is Phase.WAITING)
        outcomes = await connection.store.write_many(list(writes.values()))
        done = [i for i, o in zip(writes, outcomes, strict=True) if isinstance(o, Applied)]
        for task_id in done:
            del left[task_id]
        await _descend(connection, [records[i] for i in done if i in records])
    if left:
        message = f"{len(left)} children of {parent.task_id} keep changing; housekeeping goes on"
        raise RuntimeError(message)


async def _descend(connection: Connection, cancelled: Sequence[TaskRecord]) -> None:
    waiting = [record for record in cancelled if record.phase is Phase.WAITING]
    for record in waiting:
        await cancel_children(connection, record)
    await connection.store.write_many(
        [protocol.clear_due(record.task_id, Status.CANCELLED) for record in waiting]
    )


def cancelling(connection: Connection, record: TaskRecord, *, owes: bool) -> Write:
    """Return the write that cancels a task as it was read."""
    now = connection.runner.now_ms()
    return protocol.cancel(
        record,
        now_ms=now,
        expires_s=connection.expires_s(),
        owes_until_ms=now + DUE_GRACE_MS if owes else None,
    )


def _tombstone(
    connection: Connection, parent: TaskRecord, task_id: str, number: int, child: PlannedChild
) -> TaskRecord:
    now = connection.runner.now_ms()
    return TaskRecord(
        task_id=task_id,
        agent=child.agent,
        principal=parent.principal,
        status=Status.CANCELLED,
        v=new_version(connection.runner.random_bits),
        durability=Durability.DURABLE,
        depth=parent.depth + 1,
        created_ms=created_ms(task_id),
        updated_ms=now,
        expires_s=connection.expires_s(),
        parent=f"{parent.task_id}#{number}",
    )
