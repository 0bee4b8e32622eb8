"""The table and the queues of a storm: the memory twins, watched, with SQS's small print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from simulation.fault_plan import Mishap
from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.bus import Delivery, Outgoing
from sqswarm.schemas.writes import Applied, Write, WriteOutcome

if TYPE_CHECKING:
    from simulation.world import World

_EARLY_S = 20
_HELD_UP_S = 600
_OLD_RECEIPT = 0.5


class WatchedStore(MemoryStore):
    """A table that tells the world of every change."""

    def __init__(self, world: World) -> None:
        """Start empty."""
        super().__init__()
        self._world = world

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write."""
        before = self.items.get(write.key)
        outcome = await super().write(write)
        if isinstance(outcome, Applied):
            self._world.changed(write, before, self.items[write.key])
        return outcome

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all of the writes or none."""
        befores = [self.items.get(write.key) for write in writes]
        outcomes = await super().transact(writes)
        if all(isinstance(outcome, Applied) for outcome in outcomes):
            for write, before in zip(writes, befores, strict=True):
                if write.changes:
                    self._world.changed(write, before, self.items[write.key])
        return outcomes


class WatchedBus(MemoryBus):
    """Queues that lose, hold up, double and mix up messages as far as SNS and SQS may."""

    def __init__(self, world: World) -> None:
        """Start with no queues."""
        super().__init__(world.now_ms)
        self._world = world
        self._mishaps = {one.at: one for one in world.fault_plan.accidents}
        self._copies = 0
        self._deliveries = 0

    def empty(self, queue: str) -> None:
        """Lose a queue's messages, as one does that is deleted or made anew."""
        self._queues[queue].messages.clear()
        self._world.queue_changed(queue)

    def _put(self, queue: str, message: Outgoing, *, delay_s: int) -> None:
        mishap = self._mishaps.get(self._copies)
        self._copies += 1
        if mishap is None:
            return super()._put(queue, message, delay_s=delay_s)
        # An event's version is that of the records which its durable subscribers have, no other's.
        recorded = '"dev.sqswarm/v"' in message.body
        recorded &= '"dev.sqswarm/topic"' not in message.body or "durable" in queue
        if mishap.what is Mishap.LOST and delay_s == 0 and recorded:
            self._world.note(None, "message.lost", message.id, "an SNS copy")
            return None
        late_s = delay_s + round(_HELD_UP_S * mishap.size)
        if mishap.what is Mishap.DOUBLED:
            self._world.note(None, "message.doubled", message.id, f"the copy {late_s} s late")
            super()._put(queue, message, delay_s=delay_s)
        else:
            self._world.note(None, "message.held-up", message.id, f"{late_s} s")
        return super()._put(queue, message, delay_s=late_s)

    def _store(
        self,
        queue: str,
        body: str,
        attributes: Mapping[str, str],
        group: str | None,
        *,
        delay_s: int = 0,
    ) -> None:
        super()._store(queue, body, attributes, group, delay_s=delay_s)
        self._world.queue_changed(queue)

    async def receive(self, queue: str, *, limit: int, wait_s: int) -> list[Delivery]:
        """Return some of what is visible, in no order unless the queue has one."""
        here = self._queues[queue]
        if len(here.messages) > 1 and not queue.endswith(".fifo"):
            self._world.chance.shuffle(here.messages)
        deliveries = await super().receive(queue, limit=limit, wait_s=wait_s)
        for delivery in deliveries:
            if self._deliveries in self._world.fault_plan.early:
                for message in here.messages:
                    if message.receipt == delivery.receipt:
                        message.visible_ms = self._world.now_ms() + self._world.chance.randrange(
                            1000 * _EARLY_S
                        )
            self._deliveries += 1
        return deliveries

    def next_visible_ms(self, queue: str) -> int | None:
        """Return when the next message of a queue is or becomes visible."""
        return min((m.visible_ms for m in self._queues[queue].messages), default=None)

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete by receipt; an older receipt of the same message may do, or may not."""
        receipts = [self._current(queue, receipt) for receipt in receipts]
        for message in self._queues[queue].messages:
            if message.receipt in receipts:
                self._world.message_deleted(queue, message.body)
        await super().delete(queue, receipts)

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Change when a message comes back."""
        await super().hide(queue, self._current(queue, receipt), seconds=seconds)
        self._world.queue_changed(queue)

    def _current(self, queue: str, receipt: str) -> str:
        message_id = receipt.partition(":")[0]
        for message in self._queues[queue].messages:
            if message.message_id == message_id and message.receipt != receipt:
                return message.receipt if self._world.chance.random() < _OLD_RECEIPT else receipt
        return receipt

    def next_unexplained_ms(self, queue: str) -> int | None:
        """Return when the next letter without a reason is or becomes visible."""
        here = self._queues[queue].messages
        return min((m.visible_ms for m in here if "reason" not in m.attributes), default=None)

    def letters(self, queue: str) -> list[tuple[str, Mapping[str, str]]]:
        """Return the bodies and attributes of all messages of a queue."""
        return [(message.body, message.attributes) for message in self._queues[queue].messages]
