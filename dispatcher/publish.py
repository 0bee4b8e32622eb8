"""Publish: one event to a topic; each subscribed agent gets its own task of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.middleware import submitting
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.validate import check_names, encode
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import UnknownTopic
from sqswarm.schemas.ids import new_task_id, new_traceparent, new_version
from sqswarm.schemas.json import JsonObject, canonical, size_bytes
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import INLINE_LIMIT_BYTES, event_payload_key
from sqswarm.schemas.task import TaskRecord


async def publish(
    connection: Connection,
    topic: str,
    payloads: Sequence[Any],
    *,
    event_type: str | None = None,
) -> list[list[Submitted]]:
    """Publish one event per payload; return, for each, its tasks in the order of agents' names.

    An agent that joins events of the topic has no task of one by itself.

    Every payload is validated against every subscribed agent before anything is published.
    Raises UnknownTopic (also when a type reaches nobody), InvalidArguments, PayloadTooLarge,
    PublishFailed.
    """
    check_names(principal=connection.principal, event_type=event_type)
    subscribers = connection.catalogue.subscribers(topic, event_type)
    begun = [entry for entry in subscribers if not entry.joins_events_of(topic)]
    if not subscribers:
        nobody = f"no agent that subscribes to {topic!r} wants events of type {event_type!r}"
        raise UnknownTopic(nobody)
    valid = [_validated(connection, subscribers, topic, payload) for payload in payloads]
    durable = [entry for entry in begun if entry.durability is Durability.DURABLE]
    random_bits = connection.runner.random_bits
    messages = await connection.runner.gather(
        [
            _message(
                connection, topic, payload, text, new_version(random_bits) if durable else None
            )
            for text, payload in valid
        ]
    )
    async with submitting(messages) as ready:
        await send_events(connection, topic, ready, subscribers, event_type)
    tasks = [
        [Submitted(task_id=message.task_id(entry.name), agent=entry.name) for entry in begun]
        for message in messages
    ]
    for task in chain.from_iterable(tasks):
        connection.remember(task.task_id, task.agent)
    return tasks


async def send_events(
    connection: Connection,
    topic: str,
    messages: Sequence[Message],
    subscribers: Sequence[CatalogueEntry],
    event_type: str | None,
) -> None:
    """Create the records that durable subscribers' tasks have, then publish the events."""
    now = connection.runner.now_ms()
    records = [
        TaskRecord.from_message(message, agent=entry.name, now_ms=now, due_at_ms=now + DUE_GRACE_MS)
        for message in messages
        for entry in subscribers
        if entry.durability is Durability.DURABLE and not entry.joins_events_of(topic)
    ]
    await connection.store.write_many([protocol.create(record) for record in records])
    outgoing = [
        Outgoing(
            id=message.id,
            body=message.encode(),
            principal=message.principal,
            event_type=event_type,
        )
        for message in messages
    ]
    for ordered in sorted({entry.ordered for entry in subscribers}):
        await connection.bus.publish(connection.names.topic(topic, ordered=ordered), outgoing)


def _validated(
    connection: Connection, subscribers: Sequence[CatalogueEntry], topic: str, payload: Any
) -> tuple[str, JsonObject]:
    what = f"a payload for the topic {topic!r}"
    text, plain = encode(payload, what=what)
    # Agents that share a model have the same schema: a large event is checked against it once.
    distinct = {canonical(entry.input_schema): entry for entry in subscribers}
    for entry in distinct.values():
        connection.validator(entry, topic=topic).check(plain, what=what)
    return text, plain


async def _message(
    connection: Connection, topic: str, payload: JsonObject, text: str, version: str | None
) -> Message:
    event_id = new_task_id(connection.runner.now_ms(), connection.runner.random_bits)
    large = size_bytes(text) > INLINE_LIMIT_BYTES
    key = event_payload_key(topic, event_id)
    ref = await connection.blobs.put(key, text.encode()) if large else None
    return Message(
        id=event_id,
        name=topic,
        topic=topic,
        arguments=None if large else payload,
        payload_ref=ref,
        principal=connection.principal,
        v=version,
        traceparent=new_traceparent(connection.runner.random_bits),
    )
