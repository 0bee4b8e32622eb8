"""Republish: send a recorded task's message again, made anew from its record."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.task import TaskRecord


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
        body=record.to_message().encode(),
        principal=record.principal,
        agent=record.agent,
        group=record.ordering_key,
        dedup_suffix=f"-{record.v}-{record.publishes}",
    )
