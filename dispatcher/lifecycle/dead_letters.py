"""Dead letters: what lies in an agent's dead-letter queue, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqswarm.backends.ports.bus import Delivery, OutgoingDeadLetter
from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.message import Message, decode
from sqswarm.schemas.naming import UNROUTED
from sqswarm.schemas.task import iso

_A_CALL = 10
HELD_LIMIT = 1000
"""Dead letters of a queue that are held at a time. SQS has at most 20,000 of a FIFO queue's."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A dead letter as it is received; OutgoingDeadLetter is one that is put aside.

    Without a `reason` it is SQS's own: housekeeping has yet to look at it.
    """

    delivery: Delivery
    agent: str
    message: Message | None
    task_id: str | None

    @property
    def reason(self) -> str | None:
        """Return why it lies here, as a short word."""
        return self.delivery.attributes.get("reason")

    def to_json(self) -> JsonObject:
        """Return what, why, how often and since when."""
        given = self.delivery.attributes
        return {
            "agent": self.agent,
            "taskId": self.task_id,
            "reason": self.reason or "receives-used-up",
            "detail": given.get("detail", ""),
            "attempts": int(given["attempts"]) if given.get("attempts", "").isdecimal() else 0,
            "since": given.get("failed_at") or iso(self.delivery.sent_ms),
            "body": self.delivery.body,
        }


def read_dead_letter(delivery: Delivery, agent: str) -> DeadLetter:
    """Return what a delivery of `agent`'s dead-letter queue says."""
    try:
        message = decode(delivery.body)
    except PoisonMessage:
        return DeadLetter(delivery=delivery, agent=agent, message=None, task_id=None)
    task_id = message.task_id(agent)
    if delivery.attributes.get("reason") and not delivery.attributes.get("task_id"):
        # Put aside before it was anybody's task: its id may be anything.
        return DeadLetter(delivery=delivery, agent=agent, message=None, task_id=None)
    if message.topic is None and message.name != agent:  # another agent's task, or nobody's
        return DeadLetter(delivery=delivery, agent=agent, message=None, task_id=None)
    return DeadLetter(delivery=delivery, agent=agent, message=message, task_id=task_id)


def dead_letter_queue(connection: Connection, agent: str) -> str:
    """Return the name of an agent's dead-letter queue, or `unrouted`'s; raises UnknownAgent."""
    ordered = agent != UNROUTED and connection.catalogue.agent(agent).ordered
    return connection.names.dead_letter_queue(agent, ordered=ordered)


@asynccontextmanager
async def receive_dead_letters(
    connection: Connection, agent: str, *, limit: int, unexplained: bool = False
) -> AsyncIterator[list[DeadLetter]]:
    """Receive up to `limit` dead letters and, at the end, make visible again what was not deleted.

    They are hidden meanwhile, so that one round sees each dead letter once. With `unexplained`,
    those with a reason do not count: what stays for people must not keep the others from being
    seen.
    """
    queue = dead_letter_queue(connection, agent)
    letters: list[DeadLetter] = []
    try:
        while len(letters) < HELD_LIMIT:
            counted = [letter for letter in letters if not (unexplained and letter.reason)]
            if len(counted) >= limit:
                break
            deliveries = await connection.bus.receive(
                queue, limit=min(_A_CALL, limit - len(counted)), wait_s=0
            )
            if not deliveries:
                break
            letters += [read_dead_letter(delivery, agent) for delivery in deliveries]
        yield letters
    finally:
        await connection.runner.gather(
            [connection.bus.hide(queue, letter.delivery.receipt, seconds=0) for letter in letters]
        )


async def peek(connection: Connection, agent: str, *, limit: int) -> list[DeadLetter]:
    """Return up to `limit` dead letters of an agent and leave them where they are."""
    async with receive_dead_letters(connection, agent, limit=limit) as letters:
        return letters


def dead_letter_of_failure(
    task_id: str, *, body: str, error: JsonObject, now_ms: int
) -> OutgoingDeadLetter:
    """Return the dead letter that a finally failed task leaves."""
    data = error.get("data", {})
    return OutgoingDeadLetter(
        body=body,
        reason=str(data.get("type", "failed")),
        detail=str(error.get("message", "")),
        task_id=task_id,
        failed_at=iso(now_ms),
        attempts=int(data.get("attempt", 0)),
    )


def dead_letter_of_poison(body: str, poison: PoisonMessage, *, now_ms: int) -> OutgoingDeadLetter:
    """Return the dead letter of a message that no agent can ever run."""
    return OutgoingDeadLetter(
        body=body, reason=poison.reason, detail=str(poison), failed_at=iso(now_ms)
    )
