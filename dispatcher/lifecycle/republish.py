"""Republish: send a recorded task's message again, made anew from its record.

A dispatcher and housekeeping do it by the topic. A worker sends to the queue itself: a role that
may publish could speak to every agent.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.task import TaskRecord


async def republish(connection: Connection, records: Sequence[TaskRecord]) -> None:
    """Publish the tasks of `records` to their agents, or send them to their queues; ten a request.

    A task whose agent is no longer deployed is left to housekeeping, which parks it.
    """
    names = connection.names
    targets: dict[str, list[Outgoing]] = {}
    for record in records:
        entry = connection.catalogue.agents.get(record.agent)
        if entry is None:
            continue
        target = (
            names.queue(record.agent, ordered=entry.ordered)
            if connection.worker
            else names.topic(TASKS_TOPIC, ordered=entry.ordered)
        )
        targets.setdefault(target, []).append(outgoing(record))
    give = connection.bus.send if connection.worker else connection.bus.publish
    await connection.runner.gather([give(*target) for target in targets.items()])


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
