"""Join: events of several topics that have one key are collected in the record of one task.

The first makes the record, asleep until the join's time is over; whoever adds the last wakes it.
Each write is conditional, so an event that comes again changes nothing, and none is added to a task
that was woken: it runs with all that is in its record, once, because a sleeper wakes once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqswarm.backends.runner import attempt
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.republish import wake
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.join import PART_INLINE_LIMIT_BYTES, Join, argument_of, join_task_id
from sqswarm.schemas.json import JsonObject, dumps, loads, size_bytes
from sqswarm.schemas.lifecycle import Phase
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import GONE, payload_key
from sqswarm.schemas.protocol.join import add_part, open_join
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied


@dataclass(frozen=True, kw_only=True)
class _Part:
    """An event as a part of a join; `record` is the task's, where this is its first."""

    record: TaskRecord
    argument: str
    text: str


async def collect(
    connection: Connection, agent: AgentSpec | CatalogueEntry, messages: Sequence[Message]
) -> list[Exception | None]:
    """Add events to the tasks that join them; return what went wrong with each.

    A PoisonMessage is of an event that can be no part. All of it may be repeated.
    """
    made = await connection.runner.gather(
        [attempt(_part(connection, agent, message)) for message in messages]
    )
    told: list[Exception | None] = [one if isinstance(one, Exception) else None for one in made]
    parts = {n: one for n, one in enumerate(made) if isinstance(one, _Part)}
    first = {part.record.task_id: n for n, part in reversed(parts.items())}
    outcomes = await connection.store.write_each(
        [
            open_join(part.record, argument=part.argument, text=part.text)
            for part in (parts[n] for n in first.values())
        ]
    )
    opened = {
        n
        for n, outcome in zip(first.values(), outcomes, strict=True)
        if isinstance(outcome, Applied)
    }
    others = [n for n in parts if n not in opened]
    added = await connection.runner.gather([attempt(_add(connection, parts[n])) for n in others])
    for n, failed in zip(others, added, strict=True):
        told[n] = failed
    return told


async def joined(connection: Connection, record: TaskRecord) -> JsonObject:
    """Return the arguments of a join's task: its key, and of each topic the event or None.

    Raises ValueError where an event that lies in S3 is gone.
    """
    inline = None if record.arguments is None else record.arguments.inline
    arguments: JsonObject = loads(inline or "{}")
    for name in (record.joins or "").split(","):
        kept: JsonObject = loads(record.parts.get(name, "{}"))
        ref = kept.get("ref")
        arguments[name] = kept.get("arguments") if ref is None else await _read(connection, ref)
    return arguments


async def _part(
    connection: Connection, agent: AgentSpec | CatalogueEntry, message: Message
) -> _Part:
    join, topic = agent.joins, str(message.topic)
    if join is None:
        why = f"the agent {agent.name!r} joins nothing"
        raise ValueError(why)
    if poison := message.unbacked(payload_ref=connection.blobs.address(message.arguments_key)):
        raise poison
    ref = message.payload_ref
    event = (message.arguments or {}) if ref is None else await _read(connection, ref)
    key = event.get(join.key)
    if not isinstance(key, str | int) or isinstance(key, bool):
        why = f"an event of {topic!r} has no {join.key}, by which {agent.name!r} joins it"
        raise PoisonMessage("no-key", why)
    record, argument = _record(connection, agent, join, message, key), argument_of(topic)
    text = dumps(event)
    if ref is None and size_bytes(text) > PART_INLINE_LIMIT_BYTES:
        # The event's id is in the key: a second one of the topic must not replace the first's.
        place = payload_key(agent.name, record.task_id, f"part-{argument}-{message.id}")
        ref = await connection.blobs.put(place, text.encode())
    kept = {"arguments": event} if ref is None else {"ref": ref}
    return _Part(
        record=record,
        argument=argument,
        text=dumps({"event": message.id, **_by(message), **kept}),
    )


def _by(message: Message) -> JsonObject:
    return {} if message.published_by is None else {"by": message.published_by}


def _record(
    connection: Connection,
    agent: AgentSpec | CatalogueEntry,
    join: Join,
    message: Message,
    key: str | int,
) -> TaskRecord:
    now = connection.runner.now_ms()
    asked = Message(
        id=join_task_id(message.principal, agent.name, key),
        name=agent.name,
        arguments={join.key: key},
        principal=message.principal,
        v=new_version(connection.runner.random_bits),
        traceparent=message.traceparent,
        tracestate=message.tracestate,
        baggage=message.baggage,
    )
    wake_at_ms = now + 1000 * join.within_s
    record = TaskRecord.from_message(
        asked, durability=agent.durability, now_ms=now, due_at_ms=wake_at_ms
    )
    return replace(
        record,
        phase=Phase.SLEEPING,
        wake_at_ms=wake_at_ms,
        joins=",".join(join.arguments),
    )


async def _read(connection: Connection, address: str) -> JsonObject:
    data = await connection.blobs.get(address)
    if data is None:
        message = f"{address} {GONE}"
        raise ValueError(message)
    event: JsonObject = loads(data)
    return event


async def _add(connection: Connection, part: _Part) -> None:
    write = add_part(
        part.record.key,
        argument=part.argument,
        text=part.text,
        now_ms=connection.runner.now_ms(),
    )
    outcome = await connection.store.write(write)
    if outcome.item is None:
        message = f"the record of the join {part.record.task_id} could not be made"
        raise RuntimeError(message)
    record = TaskRecord.from_item(outcome.item)
    if record.phase is Phase.SLEEPING and record.is_complete:
        await wake(connection, record)
