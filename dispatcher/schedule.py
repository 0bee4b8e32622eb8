"""Schedule: one tick of a recurring submission, made once however often the rule fires."""

from __future__ import annotations

from datetime import UTC, datetime

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.submit import Request, Submitted, idempotent_task_id, submit
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.ids import is_recorded_first
from sqswarm.schemas.task import TaskRecord

_EARLY_S = 5
_LATE_S = 300
"""A rule fires at its tick; its task is made within minutes, by clocks that differ by seconds."""


async def submit_scheduled(
    connection: Connection, agent: str, number: int, *, at: str
) -> Submitted:
    """Submit what the agent's schedule `number` (from 0) asks for at its tick `at`.

    `at` is the event's own time (EventBridge's `time`): a rule that fires twice for one tick, or
    a function that is tried again, finds the same task. Raises UnknownAgent, and UsageError
    where the deployed agent has no such schedule any more.
    """
    entry = connection.catalogue.agent(agent)
    if not 0 <= number < len(entry.schedules):
        message = f"agent {agent!r} has no schedule number {number}"
        raise UsageError(message, hint="Deploy again: the rule is left over.")
    request = Request(
        arguments=entry.schedules[number].arguments,
        idempotency_key=tick_key(number, at),
    )
    return (await submit(connection, agent, [request]))[0]


def tick_of(record: TaskRecord, number: int) -> str | None:
    """Return the tick (ISO, UTC) for which schedule `number` of its agent made a task, if it did.

    The task's id is derived from it, so it is looked for among the moments before its creation.
    """
    if not is_recorded_first(record.task_id):
        return None
    created_s = record.created_ms // 1000
    for second in range(created_s + _EARLY_S, created_s - _LATE_S, -1):
        at = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
        key = tick_key(number, at)
        if idempotent_task_id(record.principal, record.agent, key) == record.task_id:
            return at
    return None


def tick_key(number: int, at: str) -> str:
    """Return the idempotency key of a schedule's tick."""
    return f"schedule/{number}/{at}"
