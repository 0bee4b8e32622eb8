"""Dead letters: what lies in an agent's dead-letter queue, and why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqswarm.backends.ports.bus import Delivery, OutgoingDeadLetter
from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.message import Message, decode
from sqswarm.schemas.naming import UNROUTED
from sqswarm.schemas.task import iso

_A_CALL = 10
_SIDE_BY_SIDE = 4
_LONG_POLL_S = 1
_SWEPT_LIMIT = 1000
HELD_LIMIT = 10_000
"""Dead letters of a queue that are held at a time. SQS has at most 20,000 of a FIFO queue's."""
GIVEN_UP_BY_SQS = "receives-used-up"
"""The reason of a dead letter that housekeeping has yet to look at."""


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

    @property
    def shown_reason(self) -> str:
        """Return the reason as people see it, SQS's own too."""
        return self.reason or GIVEN_UP_BY_SQS

    @property
    def since_ms(self) -> int:
        """Return since when it lies here (Unix milliseconds)."""
        try:
            failed = datetime.fromisoformat(self.delivery.attributes["failed_at"])
        except (KeyError, ValueError):  # SQS's own has none; others may say anything
            return self.delivery.sent_ms
        return int(1000 * failed.replace(tzinfo=failed.tzinfo or UTC).timestamp())

    def to_json(self) -> JsonObject:
        """Return what, why, how often and since when."""
        given = self.delivery.attributes
        return {
            "agent": self.agent,
            "taskId": self.task_id,
            "reason": self.shown_reason,
            "detail": given.get("detail", ""),
            "attempts": int(given["attempts"]) if given.get("attempts", "").isdecimal() else 0,
            "since": given.get("failed_at") or iso(self.delivery.sent_ms),
            "body": self.delivery.body,
        }


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which of a queue's dead letters are meant; what is None does not matter."""

    task_ids: Collection[str] | None = None
    reason: str | None = None
    since_ms: int | None = None

    @property
    def everything(self) -> bool:
        """Tell whether all of them are."""
        return self == ALL

    def wants(self, letter: DeadLetter) -> bool:
        """Tell whether this one is."""
        return (
            (self.task_ids is None or letter.task_id in self.task_ids)
            and self.reason in (None, letter.shown_reason)
            and (self.since_ms is None or letter.since_ms >= self.since_ms)
        )


ALL = Chosen()


class DeadLetters(list[DeadLetter]):
    """Some dead letters of one queue; `total` is how many lie in it, by SQS's own count."""

    def __init__(self, letters: Sequence[DeadLetter], *, total: int) -> None:
        """Hold `letters`, some of `total`."""
        super().__init__(letters)
        self.total = max(total, len(letters))


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
    connection: Connection,
    agent: str,
    *,
    limit: int,
    unexplained: bool = False,
    expected: int = 0,
) -> AsyncIterator[list[DeadLetter]]:
    """Receive up to `limit` dead letters and, at the end, make visible again what was not deleted.

    They are hidden meanwhile, so that one round sees each dead letter once. With `unexplained`,
    those with a reason do not count: what stays for people must not keep the others from being
    seen. Where the queue says that it has as many as `expected`, an empty answer before is not
    believed (a short poll asks some of a queue's servers), and several are asked for at once.
    """
    queue = dead_letter_queue(connection, agent)
    letters: dict[str, DeadLetter] = {}
    receipts: list[str] = []
    try:
        while len(letters) < (_SWEPT_LIMIT if unexplained else HELD_LIMIT):
            counted = sum(not (unexplained and letter.reason) for letter in letters.values())
            if counted >= limit:
                break
            left = min(limit, max(expected, counted + 1)) - counted
            sizes = [_A_CALL] * min(_SIDE_BY_SIDE, left // _A_CALL) or [min(_A_CALL, left)]
            if not expected:
                sizes = [min(_A_CALL, limit - counted)]
            deliveries = [
                delivery
                for some in await connection.runner.gather(
                    [connection.bus.receive(queue, limit=size, wait_s=0) for size in sizes]
                )
                for delivery in some
            ]
            if not deliveries and len(letters) < expected:
                deliveries = await connection.bus.receive(
                    queue, limit=sizes[0], wait_s=_LONG_POLL_S
                )
            if not deliveries:
                break
            receipts += [delivery.receipt for delivery in deliveries]
            letters.update({d.message_id: read_dead_letter(d, agent) for d in deliveries})
        yield list(letters.values())
    finally:
        await connection.bus.show_again(queue, receipts)


async def peek(
    connection: Connection, agent: str, *, limit: int, offset: int = 0, chosen: Chosen = ALL
) -> DeadLetters:
    """Return up to `limit` dead letters of an agent and leave them where they are.

    The first `offset` are passed over: they have to be received too, since a queue has no cursor,
    and it tells them in no lasting order. `chosen` ones are looked for among HELD_LIMIT.
    """
    counted = await connection.bus.depth(dead_letter_queue(connection, agent))
    wanted = offset + limit if chosen.everything else HELD_LIMIT
    async with receive_dead_letters(
        connection, agent, limit=wanted, expected=counted.waiting
    ) as letters:
        found = [letter for letter in letters if chosen.wants(letter)]
    return DeadLetters(found[offset : offset + limit], total=counted.total)


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
