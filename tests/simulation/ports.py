"""The three ports as one process sees them: every request may meet a misfortune of the storm."""

from __future__ import annotations

from collections.abc import Sequence

from simulation.naming import kind_of, subject_of
from simulation.network import request
from simulation.process import Process
from simulation.watched import WatchedBus, WatchedStore
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.backends.ports.bus import Delivery, Outgoing, OutgoingDeadLetter, QueueDepth
from sqswarm.backends.ports.store import Index, Page, all_written
from sqswarm.backends.runner import attempt, run_straight
from sqswarm.schemas.notice import Target
from sqswarm.schemas.writes import Add, Applied, Item, Key, Write, WriteOutcome


class FaultyStore:
    """The table, by way of a network."""

    def __init__(self, process: Process, store: WatchedStore) -> None:
        """Use `store` from `process`."""
        self._process = process
        self._store = store

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write."""
        store = self._store
        return await request(
            self._process,
            kind_of(write),
            subject_of([write.key]),
            lambda: run_straight(store.write(write)),
        )

    async def write_many(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out each write; see write_each."""
        return all_written(await self.write_each(writes))

    async def write_each(self, writes: Sequence[Write]) -> list[WriteOutcome | Exception]:
        """Carry out each write; an answer to a batch keeps back what the port says it may."""
        if len(writes) < 2:
            return [await attempt(self.write(write)) for write in writes]
        store, chance = self._store, self._process.world.chance

        def part() -> object:
            return run_straight(store.write_each([w for w in writes if chance.random() < 0.5]))

        outcomes = await attempt(
            request(
                self._process,
                " & ".join(sorted({kind_of(write) for write in writes})),
                subject_of([write.key for write in writes]),
                lambda: run_straight(store.write_each(writes)),
                part=part,
            )
        )
        if isinstance(outcomes, Exception):
            return [outcomes] * len(writes)
        return [
            Applied()
            if isinstance(outcome, Applied) and not any(isinstance(c, Add) for c in write.changes)
            else outcome
            for write, outcome in zip(writes, outcomes, strict=True)
        ]

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all of the writes or none; a repeat gets the first answer (request token)."""
        store = self._store
        answers: list[list[WriteOutcome]] = []

        def apply() -> list[WriteOutcome]:
            answers.append(run_straight(store.transact(writes)))
            return answers[0]

        name = " & ".join(sorted({kind_of(w) for w in writes if w.changes})) or "check"
        subject = subject_of([write.key for write in writes])
        return await request(self._process, name, subject, apply, again=lambda: answers[0])

    async def read(self, key: Key) -> Item | None:
        """Return one item."""
        store = self._store
        return await request(
            self._process, "read", subject_of([key]), lambda: run_straight(store.read(key))
        )

    async def read_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Return the items that exist."""
        if not keys:
            return {}
        store = self._store
        return await request(
            self._process, "read", subject_of(keys), lambda: run_straight(store.read_many(keys))
        )

    async def read_group(
        self, pk: str, *, after_sk: str = "", names: Sequence[str] = (), limit: int | None = None
    ) -> list[Item]:
        """Return the items under one partition key."""
        store = self._store
        return await request(
            self._process,
            "read group",
            pk.rpartition("#")[2],
            lambda: run_straight(store.read_group(pk, after_sk=after_sk, names=names, limit=limit)),
        )

    async def due(self, shard: str, *, until_ms: int, limit: int) -> list[Key]:
        """Return what is due."""
        store = self._store
        return await request(
            self._process,
            "due",
            "",
            lambda: run_straight(store.due(shard, until_ms=until_ms, limit=limit)),
        )

    async def newest(
        self, index: Index, partition: str, *, until: str | int | None = None, limit: int
    ) -> Page:
        """Return the last items of a partition."""
        store = self._store
        return await request(
            self._process,
            "newest",
            "",
            lambda: run_straight(store.newest(index, partition, until=until, limit=limit)),
        )


class FaultyBus:
    """Topics and queues, by way of a network."""

    def __init__(self, process: Process, bus: WatchedBus) -> None:
        """Use `bus` from `process`."""
        self._process = process
        self._bus = bus

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Copy each message to the queues whose filter it passes; part of them on a bad day."""
        bus, chance = self._bus, self._process.world.chance

        def part() -> None:
            run_straight(bus.publish(topic, [m for m in messages if chance.random() < 0.5]))

        await request(
            self._process,
            "publish",
            " ".join(m.id for m in messages),
            lambda: run_straight(bus.publish(topic, messages)),
            part=part if len(messages) > 1 else None,
        )

    async def send(self, queue: str, messages: Sequence[Outgoing], *, delay_s: int = 0) -> None:
        """Put each message into the queue; part of them on a bad day."""
        bus, chance = self._bus, self._process.world.chance

        def part() -> None:
            some = [m for m in messages if chance.random() < 0.5]
            run_straight(bus.send(queue, some, delay_s=delay_s))

        await request(
            self._process,
            f"send, delayed {delay_s} s" if delay_s else "send",
            " ".join(m.id for m in messages),
            lambda: run_straight(bus.send(queue, messages, delay_s=delay_s)),
            part=part if len(messages) > 1 else None,
        )

    async def tell(self, target: Target, messages: Sequence[Outgoing]) -> None:
        """Tell each; part of them on a bad day."""
        bus, chance = self._bus, self._process.world.chance

        def part() -> None:
            some = [m for m in messages if chance.random() < 0.5]
            run_straight(bus.tell(target, some))

        await request(
            self._process,
            f"tell {target.name}",
            " ".join(m.id for m in messages),
            lambda: run_straight(bus.tell(target, messages)),
            part=part if len(messages) > 1 else None,
        )

    async def receive(self, queue: str, *, limit: int, wait_s: int) -> list[Delivery]:
        """Return up to `limit` deliveries."""
        bus = self._bus
        return await request(
            self._process,
            f"receive from {queue}",
            "",
            lambda: run_straight(bus.receive(queue, limit=limit, wait_s=wait_s)),
        )

    async def deliver(self, queue: str, *, function: str, on: bool) -> None:
        """Hold a queue's messages back, or no longer."""
        bus = self._bus
        await request(
            self._process,
            f"{'let go' if on else 'hold'} {queue}",
            queue,
            lambda: run_straight(bus.deliver(queue, function=function, on=on)),
        )

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete received messages."""
        if not receipts:
            return
        bus = self._bus
        await request(
            self._process,
            f"delete {' '.join(receipts)}",
            " ".join(receipts),
            lambda: run_straight(bus.delete(queue, receipts)),
        )

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Hide a received message for `seconds`."""
        bus = self._bus
        await request(
            self._process,
            f"hide {receipt} for {seconds} s",
            receipt,
            lambda: run_straight(bus.hide(queue, receipt, seconds=seconds)),
        )

    async def show_again(self, queue: str, receipts: Sequence[str]) -> None:
        """Make received messages visible again."""
        for receipt in receipts:
            await self.hide(queue, receipt, seconds=0)

    async def dead_letter(
        self, queue: str, letter: OutgoingDeadLetter, *, group: str | None
    ) -> None:
        """Put a message aside."""
        bus = self._bus
        await request(
            self._process,
            f"dead letter: {letter.reason}",
            letter.task_id or "",
            lambda: run_straight(bus.dead_letter(queue, letter, group=group)),
        )

    async def depth(self, queue: str) -> QueueDepth:
        """Return how much a queue holds."""
        bus = self._bus
        return await request(
            self._process, f"depth of {queue}", "", lambda: run_straight(bus.depth(queue))
        )

    async def oldest_s(self, queues: Sequence[str]) -> dict[str, int]:
        """Return the age of each queue's oldest message."""
        bus = self._bus
        return await request(
            self._process, "ages of messages", "", lambda: run_straight(bus.oldest_s(queues))
        )


class FaultyBlobs:
    """The bucket, by way of a network; an address is reckoned without it."""

    def __init__(self, process: Process, blobs: MemoryBlobs) -> None:
        """Use `blobs` from `process`."""
        self._process = process
        self._blobs = blobs

    def address(self, key: str) -> str:
        """Return the address of `key`."""
        return self._blobs.address(key)

    async def put(self, key: str, data: bytes, *, once: bool = False) -> str:
        """Store `data`."""
        blobs = self._blobs
        return await request(
            self._process, f"put {key}", key, lambda: run_straight(blobs.put(key, data, once=once))
        )

    async def get(self, address: str) -> bytes | None:
        """Return what lies there."""
        blobs = self._blobs
        return await request(
            self._process, f"get {address}", "", lambda: run_straight(blobs.get(address))
        )

    async def read_part(self, address: str, *, start: int, limit: int) -> bytes | None:
        """Return a part of what lies there."""
        part = self._blobs.read_part(address, start=start, limit=limit)
        return await request(self._process, f"get {address}", "", lambda: run_straight(part))

    async def read(self, key: str) -> tuple[bytes | None, str]:
        """Return what lies under a key, and its tag."""
        blobs = self._blobs
        return await request(
            self._process, f"read {key}", "", lambda: run_straight(blobs.read(key))
        )

    async def swap(self, key: str, data: bytes, *, tag: str) -> bool:
        """Store `data` where the tag still fits."""
        blobs = self._blobs
        return await request(
            self._process, f"swap {key}", key, lambda: run_straight(blobs.swap(key, data, tag=tag))
        )
