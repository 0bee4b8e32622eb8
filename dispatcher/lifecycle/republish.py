"""Republish: send a recorded task's message again, made anew from its record.

A dispatcher and housekeeping do it by the topic. A worker sends to the queue itself: a role that
may publish could speak to every agent.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied


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


async def wake(connection: Connection, record: TaskRecord) -> bool:
    """Wake a sleeping task and publish it; tell whether it was this that woke it.

    One that is woken already is published by whoever woke it, or by the sweep.
    """
    now = connection.runner.now_ms()
    outcome = await connection.store.write(
        protocol.wake(
            record,
            v=new_version(connection.runner.random_bits),
            now_ms=now,
            due_at_ms=now + DUE_GRACE_MS,
        )
    )
    if not isinstance(outcome, Applied) or outcome.item is None:
        return False
    connection = await connection.with_catalogue()
    await republish(connection, [TaskRecord.from_item(outcome.item)])
    return True


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
