"""The bus's port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from sqswarm.backends.redact import hide
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.value import dataclass

if TYPE_CHECKING:
    from sqswarm.schemas.notice import Target

BATCH_ENTRIES = 10
BATCH_BYTES = 256 * 1024 - 4096
"""Source: SNS PublishBatch and SQS SendMessageBatch, 10 entries; SNS 262,144 bytes in all.

Some is left for the attributes, which count too.
"""

DELAY_LIMIT_S = 900
HIDE_LIMIT_S = 43_200
"""Source: SQS quotas, DelaySeconds and VisibilityTimeout."""


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """One message on its way out.

    `agent`, `principal` and `event_type` become the attributes `agent`, `principal` and `type`
    that filter policies see. `group` is a FIFO queue's ordering key; `id` is what a failure
    names. A FIFO queue drops a second message with the same `id` and `dedup_suffix` for five
    minutes: a task that is meant to be published again gets another suffix.
    """

    id: str
    body: str
    principal: str
    agent: str | None = None
    event_type: str | None = None
    group: str | None = None
    dedup_suffix: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """Return the message attributes that travel beside the body."""
        named = {"agent": self.agent, "principal": self.principal, "type": self.event_type}
        return {name: value for name, value in named.items() if value}

    @property
    def size(self) -> int:
        """Return the bytes that count against a batch's limit."""
        attributes = sum(len(n) + len(v) + 6 for n, v in self.attributes.items())
        return size_bytes(self.body) + attributes


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One receipt of a message. `receive_count` is the queue's number, not our attempt."""

    message_id: str
    receipt: str
    body: str
    receive_count: int
    sent_ms: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    xray: str | None = None
    """The message's trace header, where AWS X-Ray has given it one (`AWSTraceHeader`)."""


@dataclass(frozen=True, kw_only=True)
class OutgoingDeadLetter:
    """A message put aside with its reason, for a person to look at (dead_letters.py reads it)."""

    body: str
    reason: str
    detail: str
    task_id: str | None = None
    failed_at: str
    attempts: int = 0

    @property
    def attributes(self) -> dict[str, str]:
        """Return the reason as message attributes."""
        named = {
            "reason": _printable(self.reason[:200]) or "failed",
            "detail": _printable(hide(self.detail)),
            "task_id": self.task_id or "",
            "failed_at": self.failed_at,
            "attempts": str(self.attempts),
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """How much a queue holds. The counts are SQS's own, which are approximate."""

    waiting: int
    """Messages that a worker could take now."""
    in_flight: int
    """Messages that a worker has taken, or hidden, and not yet deleted."""
    delayed: int
    """Messages held back until their time."""

    @property
    def total(self) -> int:
        """Return all messages."""
        return self.waiting + self.in_flight + self.delayed


class Bus(Protocol):
    """Topics and queues by name (see sqswarm.schemas.naming)."""

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Publish to a topic, ten messages a request where their size allows.

        Raises PublishFailed for messages still refused after retries.
        """
        ...

    async def send(self, queue: str, messages: Sequence[Outgoing], *, delay_s: int = 0) -> None:
        """Send straight to one queue, hidden for `delay_s` (0 to 900) seconds first."""
        ...

    async def tell(self, target: Target, messages: Sequence[Outgoing]) -> None:
        """Send to a topic, queue or event bus of somebody else's, ten messages a request.

        Raises PublishFailed for messages still refused after retries, NotDeployed where there is
        no such target, Unreachable where it may not be told.
        """
        ...

    async def receive(self, queue: str, *, limit: int, wait_s: int) -> list[Delivery]:
        """Return up to `limit` (1 to 10) deliveries, waiting up to `wait_s` (0 to 20) seconds."""
        ...

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete received messages; a receipt that is no longer valid is ignored."""
        ...

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Hide a received message for `seconds` (0 to 43,200) from now; late is ignored."""
        ...

    async def show_again(self, queue: str, receipts: Sequence[str]) -> None:
        """Make received messages visible again at once, ten a request; late is ignored."""
        ...

    async def dead_letter(
        self, queue: str, letter: OutgoingDeadLetter, *, group: str | None
    ) -> None:
        """Put a message aside in the dead-letter queue `queue`, with its reason."""
        ...

    async def depth(self, queue: str) -> QueueDepth:
        """Return how much a queue holds; raises NotDeployed where there is none."""
        ...

    async def oldest_s(self, queues: Sequence[str]) -> dict[str, int]:
        """Return how long each queue's oldest message has been there, seconds, where that is known.

        It may be some minutes old itself: who asks looks at `depth` too.
        """
        ...

    async def deliver(self, queue: str, *, function: str, on: bool) -> None:
        """Let what a queue holds go to the function that it feeds, or hold it back.

        Returns once that is so. Containers take messages by themselves: nothing changes for them.
        """
        ...


def batches(messages: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """Split messages, in order, into batches of at most 10 entries and 256 KB."""
    result: list[list[Outgoing]] = []
    size = 0
    for message in messages:
        if not result or len(result[-1]) == BATCH_ENTRIES or size + message.size > BATCH_BYTES:
            result.append([])
            size = 0
        result[-1].append(message)
        size += message.size
    return result


def _printable(text: str) -> str:
    """Keep what SQS takes in an attribute (XML 1.0 characters), and at most 1,000 of them."""
    return "".join(c if c in "\t\n" or " " <= c <= "\ud7ff" else "?" for c in text[:1000])
