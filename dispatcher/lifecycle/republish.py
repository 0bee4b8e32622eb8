"""Republish: send a recorded task's message again, made anew from its record.

By the topic where a dispatcher or housekeeping does it. What may be an agent's worker sends to the
queue itself: no agent's role may publish, which would let it speak to every agent.
"""

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


async def send_to_queues(connection: Connection, records: Sequence[TaskRecord]) -> None:
    """Send the tasks of `records` to their agents' queues, ten a request; else as `republish`."""
    by_agent: dict[str, list[Outgoing]] = {}
    for record in records:
        by_agent.setdefault(record.agent, []).append(outgoing(record))
    entries = connection.catalogue.agents
    await connection.runner.gather(
        [
            connection.bus.send(
                connection.names.queue(agent, ordered=entries[agent].ordered), messages
            )
            for agent, messages in by_agent.items()
            if agent in entries
        ]
    )


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
