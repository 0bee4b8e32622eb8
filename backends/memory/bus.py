"""The bus's memory twin: topics, filters, queues with visibility and dead-letter queues."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from sqswarm.backends.ports.bus import Delivery, Outgoing, OutgoingDeadLetter, QueueDepth
from sqswarm.schemas.notice import Target, TargetKind

_DEDUPLICATION_MS = 300_000
"""Source: SQS FIFO queues, deduplication interval of five minutes."""


@dataclass(kw_only=True)
class _Stored:
    message_id: str
    body: str
    attributes: Mapping[str, str]
    sent_ms: int
    visible_ms: int
    group: str | None
    receives: int = 0
    receipt: str = ""


@dataclass(kw_only=True)
class _Queue:
    visibility_s: int
    dead_letters_to: str | None
    max_receives: int
    messages: list[_Stored] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _Subscription:
    queue: str
    wanted: Mapping[str, frozenset[str]]


class MemoryBus:
    """Topics and queues in lists, on a clock that its maker holds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        """Start with no topics and no queues; `now_ms` gives Unix milliseconds."""
        self._now_ms = now_ms
        self._queues: dict[str, _Queue] = {}
        self._topics: dict[str, list[_Subscription]] = {}
        self._numbers = count(1)
        self.told: dict[str, list[str]] = {}
        """What targets outside of the stage were told, by their addresses."""
        self.held: set[str] = set()
        """Queues whose messages nobody is given."""

    def make_queue(
        self,
        name: str,
        *,
        visibility_s: int = 30,
        dead_letters_to: str | None = None,
        max_receives: int = 10,
    ) -> None:
        """Make a queue; after `max_receives` receives a message goes to `dead_letters_to`."""
        self._queues[name] = _Queue(
            visibility_s=visibility_s, dead_letters_to=dead_letters_to, max_receives=max_receives
        )

    def subscribe(
        self, topic: str, queue: str, wanted: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Let `queue` get the topic's messages whose attributes have one of the wanted values."""
        filters = {name: frozenset(values) for name, values in (wanted or {}).items()}
        self._topics.setdefault(topic, []).append(_Subscription(queue=queue, wanted=filters))

    def bodies(self, queue: str) -> list[str]:
        """Return every message's body in a queue, hidden ones too: for tests."""
        return [message.body for message in self._queues[queue].messages]

    def visible_ms(self, queue: str) -> list[tuple[int, Mapping[str, str]]]:
        """Return when each message of a queue may be received, and its attributes: for tests."""
        return [(m.visible_ms, m.attributes) for m in self._queues[queue].messages]

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Copy each message to the queues whose filter it passes."""
        for message in messages:
            for subscription in self._topics.get(topic, []):
                if all(message.attributes.get(n) in v for n, v in subscription.wanted.items()):
                    self._put(subscription.queue, message, delay_s=0)

    async def tell(self, target: Target, messages: Sequence[Outgoing]) -> None:
        """Keep what is told, under its target; where that is a queue here, put it there too."""
        for message in messages:
            self.told.setdefault(target.address, []).append(message.body)
            if target.kind is TargetKind.QUEUE and target.name in self._queues:
                self._put(target.name, message, delay_s=0)

    async def send(self, queue: str, messages: Sequence[Outgoing], *, delay_s: int = 0) -> None:
        """Put each message into the queue."""
        for message in messages:
            self._put(queue, message, delay_s=delay_s)

    def _put(self, queue: str, message: Outgoing, *, delay_s: int) -> None:
        group: str | None = message.principal  # fair queues
        if queue.endswith(".fifo"):
            group = message.group or message.id
            if self._is_repeated(queue, message.id + message.dedup_suffix):
                return
        self._store(queue, message.body, message.attributes, group, delay_s=delay_s)

    def _is_repeated(self, queue: str, deduplication_id: str) -> bool:
        """Tell whether a FIFO queue has taken a message of this id in the last five minutes."""
        taken = self._queues[queue].taken
        now = self._now_ms()
        if now - taken.get(deduplication_id, -_DEDUPLICATION_MS) < _DEDUPLICATION_MS:
            return True
        taken[deduplication_id] = now
        return False

    def _store(
        self,
        queue: str,
        body: str,
        attributes: Mapping[str, str],
        group: str | None,
        *,
        delay_s: int = 0,
    ) -> None:
        now = self._now_ms()
        self._queues[queue].messages.append(
            _Stored(
                message_id=f"m{next(self._numbers)}",
                body=body,
                attributes=dict(attributes),
                sent_ms=now,
                visible_ms=now + 1000 * delay_s,
                group=group,
            )
        )

    async def receive(self, queue: str, *, limit: int, wait_s: int) -> list[Delivery]:
        """Return what is visible now; this twin never waits (`wait_s` is for real queues)."""
        del wait_s
        if queue in self.held:
            return []
        here = self._queues[queue]
        now = self._now_ms()
        locked = self._locked_groups(queue, now)
        deliveries: list[Delivery] = []
        for message in list(here.messages):
            if len(deliveries) == limit:
                break
            if message.visible_ms > now or message.group in locked:
                continue
            if here.dead_letters_to is not None and message.receives >= here.max_receives:
                here.messages.remove(message)
                self._store(here.dead_letters_to, message.body, message.attributes, message.group)
                continue
            message.receives += 1
            message.receipt = f"{message.message_id}:{message.receives}"
            message.visible_ms = now + 1000 * here.visibility_s
            deliveries.append(
                Delivery(
                    message_id=message.message_id,
                    receipt=message.receipt,
                    body=message.body,
                    receive_count=message.receives,
                    sent_ms=message.sent_ms,
                    attributes=dict(message.attributes),
                    group=message.group,
                )
            )
        return deliveries

    def _locked_groups(self, queue: str, now: int) -> set[str | None]:
        """Return the groups of a FIFO queue that have a message in flight.

        One receive may still return several messages of a group, in their order.
        """
        if not queue.endswith(".fifo"):
            return set()
        return {m.group for m in self._queues[queue].messages if m.visible_ms > now}

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete by receipt."""
        gone = set(receipts)
        here = self._queues[queue]
        here.messages = [m for m in here.messages if m.receipt not in gone]

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Change when a message comes back."""
        for message in self._queues[queue].messages:
            if message.receipt == receipt:
                message.visible_ms = self._now_ms() + 1000 * seconds

    async def show_again(self, queue: str, receipts: Sequence[str]) -> None:
        """Make messages visible now."""
        for receipt in receipts:
            await self.hide(queue, receipt, seconds=0)

    async def dead_letter(
        self, queue: str, letter: OutgoingDeadLetter, *, group: str | None
    ) -> None:
        """Put a message aside."""
        self._store(queue, letter.body, letter.attributes, group)

    async def depth(self, queue: str) -> QueueDepth:
        """Count."""
        here, now = self._queues[queue].messages, self._now_ms()
        hidden = [message for message in here if message.visible_ms > now]
        in_flight = sum(message.receives > 0 for message in hidden)
        return QueueDepth(
            waiting=len(here) - len(hidden), in_flight=in_flight, delayed=len(hidden) - in_flight
        )

    async def oldest_s(self, queues: Sequence[str]) -> dict[str, int]:
        """Return what is so: this twin knows."""
        now = self._now_ms()
        return {
            queue: (now - min(message.sent_ms for message in here)) // 1000
            for queue in queues
            if (here := self._queues[queue].messages)
        }

    async def deliver(self, queue: str, *, function: str, on: bool) -> None:
        """Hold a queue's messages back from everybody, or no longer."""
        del function
        (self.held.discard if on else self.held.add)(queue)
