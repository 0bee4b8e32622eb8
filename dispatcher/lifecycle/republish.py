"""Republish: send a recorded task's message again, made anew from its record."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.json import loads
from sqswarm.schemas.message import Message
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.task import TaskRecord


def message_of(record: TaskRecord) -> Message:
    """Return the addressed message of a recorded task, whatever it was first published as."""
    payload = record.arguments or Payload(inline="{}")
    return Message(
        id=record.task_id,
        name=record.agent,
        arguments=None if payload.inline is None else loads(payload.inline),
        payload_ref=payload.ref,
        principal=record.principal,
        parent=record.parent,
        deadline=record.deadline,
        v=record.v,
        session_id=record.session_id,
        ordering_key=record.ordering_key,
        redriven_from=record.redriven_from,
        traceparent=record.traceparent,
    )


async def republish(connection: Connection, records: Sequence[TaskRecord]) -> None:
    """Publish the tasks of `records` to their agents, ten a request.

    A task whose agent is no longer deployed is left to housekeeping, which gives it up in time.
    """
    by_order: dict[bool, list[Outgoing]] = {}
    for record in records:
        entry = connection.catalogue.agents.get(record.agent)
        if entry is not None:
            by_order.setdefault(entry.ordered, []).append(outgoing(record))
    for ordered, messages in by_order.items():
        await connection.bus.publish(connection.names.topic(TASKS_TOPIC, ordered=ordered), messages)


def outgoing(record: TaskRecord) -> Outgoing:
    """Return the message of a recorded task, ready to be published or sent."""
    return Outgoing(
        id=record.task_id,
        body=message_of(record).encode(),
        principal=record.principal,
        agent=record.agent,
        group=record.ordering_key,
        dedup_suffix=f"-{record.v}-{record.publishes}",
    )
