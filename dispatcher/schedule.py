"""Schedule: one tick of a recurring submission, made once however often the rule fires."""

from __future__ import annotations

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.submit import Request, Submitted, submit
from sqswarm.schemas.errors import UsageError


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
        idempotency_key=f"schedule/{number}/{at}",
    )
    return (await submit(connection, agent, [request]))[0]
