"""Publish results: what an agent that publishes returned becomes an event, once a task.

An owed effect of the settle, like a child's count in its parent: whoever finds it owed does it, and
may repeat it. The event's id is derived from the task's and its subscribers' from that, so a repeat
starts no task twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.publish import send_events
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import UnknownTopic
from sqswarm.schemas.ids import new_version, result_event_id, within_task
from sqswarm.schemas.json import loads, size_bytes
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import GONE, INLINE_LIMIT_BYTES, Payload, event_payload_key
from sqswarm.schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class ResultEvent:
    """A completed task's result, which is to be an event on `topic`."""

    topic: str
    task_id: str
    agent: str
    principal: str
    result: Payload
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: str | None = None

    @classmethod
    def of(cls, record: TaskRecord, topic: str | None) -> ResultEvent | None:
        """Return the event that a recorded task owes to `topic`, if it owes one."""
        if topic is None or record.status is not Status.COMPLETED or record.result is None:
            return None
        return cls(
            topic=topic,
            task_id=record.task_id,
            agent=record.agent,
            principal=record.principal,
            result=record.result,
            traceparent=record.traceparent,
            tracestate=record.tracestate,
            baggage=record.baggage,
        )


async def publish_results(connection: Connection, events: Sequence[ResultEvent]) -> None:
    """Publish results as events, ten a request.

    Raises UnknownTopic where the stage knows of no subscriber, and yet the agent publishes: the
    deployment that brought its code is not over, or has been followed by another.
    """
    by_topic: dict[str, list[ResultEvent]] = {}
    for event in events:
        by_topic.setdefault(event.topic, []).append(event)
    await connection.runner.gather(
        [_publish(connection, topic, owed) for topic, owed in by_topic.items()]
    )


async def _publish(connection: Connection, topic: str, events: Sequence[ResultEvent]) -> None:
    subscribers = await _subscribers(connection, topic, events[0].agent)
    if not subscribers:
        return
    durable = any(
        entry.durability is Durability.DURABLE and not entry.joins_events_of(topic)
        for entry in subscribers
    )
    messages = await connection.runner.gather(
        [_message(connection, event, durable=durable) for event in events]
    )
    await send_events(connection, topic, messages, subscribers, None)


async def _subscribers(connection: Connection, topic: str, agent: str) -> list[CatalogueEntry]:
    found = connection.catalogue.results_to(topic)
    if not found:
        catalogue = (await connection.with_catalogue(fresh=True)).catalogue
        found = catalogue.results_to(topic)
        entry = catalogue.agents.get(agent)
        if not found and (entry is None or entry.publishes != topic):
            message = f"agent {agent!r} publishes to {topic!r}, which nobody deployed subscribes to"
            raise UnknownTopic(message)
    return found


async def _message(connection: Connection, event: ResultEvent, *, durable: bool) -> Message:
    text = await _text(connection, event)
    event_id = result_event_id(event.task_id)
    ref = None
    if size_bytes(text) > INLINE_LIMIT_BYTES:
        # The id says what the event is, and a publisher's role lets it overwrite nothing.
        key = event_payload_key(event.topic, event_id)
        ref = await connection.blobs.put(key, text.encode(), once=True)
    return Message(
        id=event_id,
        name=event.topic,
        topic=event.topic,
        arguments=loads(text) if ref is None else None,
        payload_ref=ref,
        principal=event.principal,
        v=new_version(connection.runner.random_bits) if durable else None,
        published_by=f"{event.agent}#{event.task_id}",
        traceparent=within_task(event.traceparent, event.task_id),
        tracestate=event.tracestate,
        baggage=event.baggage,
    )


async def _text(connection: Connection, event: ResultEvent) -> str:
    if event.result.inline is not None:
        return event.result.inline
    data = await connection.blobs.get(str(event.result.ref))
    if data is None:
        message = f"the result of task {event.task_id} {GONE}"
        raise ValueError(message)
    return data.decode()
