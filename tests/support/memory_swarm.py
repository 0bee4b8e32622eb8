"""A whole swarm in memory, on a clock that only a test moves."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import contextmanager

from sqswarm.backends.log import Log
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper
from sqswarm.dispatcher.lifecycle.sweep import Housekeeper
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.view import view
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.naming import Names
from sqswarm.schemas.writes import Refused
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext

NAMES = Names(stage="test", account="000000000000", region="us-east-1")


class Clock(AsyncRunner):
    """Time that moves when a test says so, and when the code under test sleeps."""

    def __init__(self):
        self.ms = 1_800_000_000_000

    def now_ms(self):
        return self.ms

    def advance(self, *, seconds):
        self.ms += round(1000 * seconds)

    async def sleep(self, seconds):
        self.advance(seconds=seconds)

    def jitter(self):
        return 0.5


class CrashedError(Exception):
    """What a planned crash raises."""


class CountingStore(MemoryStore):
    """Counts every write that is carried out, by what it changes; may crash before one."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()
        self.crash_before = None

    async def write(self, write):
        self._watch(write)
        outcome = await super().write(write)
        refused = isinstance(outcome, Refused)
        self.counts[f"refused {kind_of(write)}" if refused else kind_of(write)] += 1
        return outcome

    async def transact(self, writes):
        self._watch(writes[-1])
        self.counts["transaction"] += 1
        return await super().transact(writes)

    def _watch(self, write):
        if self.crash_before is not None and kind_of(write) == self.crash_before:
            self.crash_before = None
            raise CrashedError(kind_of(write))


def kind_of(write):  # noqa: C901 - a table
    """Name the operation that a write is, by what only it sets."""
    sets = {c.name: getattr(c, "value", None) for c in write.changes}
    status, phase = sets.get("status"), sets.get("phase")
    if write.key.sk != "task":
        return write.key.sk.split("#")[0]
    if phase == "waiting":
        return "plan"
    if phase == "children_done":
        return "fire"
    if "pending" in sets:
        return "count"
    if "answers" in sets:
        return "answer"
    if status == "input_required":
        return "ask"
    if phase == "sleeping" and "waits" in sets:
        return "sleep"
    if "wake_at" in sets and phase == "run":
        return "wake"
    if write.inserts:
        return {"working": "acquire" if sets["lease_until"] else "create"}.get(status, "settle")
    if status is not None:
        return "cancel" if status == "cancelled" else "settle"
    if set(sets) == {"due_at", "due_shard"}:
        return "clear due" if sets["due_at"] is None else "look again"
    if "attempt" in sets:
        return "acquire"
    return "other"


class CrashingBus(MemoryBus):
    """May crash at the next publish."""

    crash_at_publish = 0

    async def publish(self, topic, messages):
        if self.crash_at_publish:
            self.crash_at_publish -= 1
            raise CrashedError("publish")
        await super().publish(topic, messages)


class MemorySwarm:
    """A swarm of the given agents."""

    def __init__(self, *agents):
        self.agents = agents
        self.clock = Clock()
        self.store = CountingStore()
        self.blobs = MemoryBlobs()
        self.bus = CrashingBus(self.clock.now_ms)
        self.log = io.StringIO()
        self.catalogue = Catalogue.of(one.spec for one in agents)
        self.blobs.objects[self.blobs.address(CATALOGUE_KEY)] = self.catalogue.dump().encode()
        self.runtimes = {one.name: self._build(one) for one in agents}
        self.connection = self.connection_for("me")
        self.housekeeper = Housekeeper(
            self.connection_for("keeper", operator=True), Log.to(self.log)
        )

    def _build(self, one):
        spec = one.spec
        dead = NAMES.dead_letter_queue(spec.name, ordered=spec.ordered)
        queue = self.queue(one)
        self.bus.make_queue(dead)
        self.bus.make_queue(
            queue,
            visibility_s=spec.visibility_s,
            dead_letters_to=dead,
            max_receives=spec.max_receive_count,
        )
        topic = NAMES.topic("tasks", ordered=spec.ordered)
        self.bus.subscribe(topic, queue, {"agent": [spec.name]})
        for subscription in spec.subscriptions:
            self.bus.subscribe(NAMES.topic(subscription.topic), queue)
        return Runtime(self.worker(one))

    def worker(self, one):
        return WorkerContext(
            agent=one,
            spec=one.spec,
            connection=self.connection_for(one.name, operator=True),
            log=Log.to(self.log),
        )

    def connection_for(self, principal, *, operator=False):
        return Connection(
            names=NAMES,
            store=self.store,
            bus=self.bus,
            blobs=self.blobs,
            runner=self.clock,
            catalogue=self.catalogue,
            principal=principal,
            operator=operator,
            ttl_s=14 * 86_400,
        )

    def queue(self, one):
        return NAMES.queue(one.name, ordered=one.spec.ordered)

    def waiting(self, one):
        return self.bus.bodies(self.queue(one))

    async def submit(self, one, _request=None, **arguments):
        request = Request(arguments=arguments, **(_request or {}))
        return (await submit(self.connection, one.name, [request]))[0].task_id

    async def copy(self, one, body):
        """Deliver a message once more."""
        message = Outgoing(id="copy", body=body, principal="me", agent=one.name)
        await self.bus.send(self.queue(one), [message])

    async def work(self, one, *, limit=10):
        """Deliver one batch and delete what the runtime says."""
        deliveries = await self.bus.receive(self.queue(one), limit=limit, wait_s=0)
        result = await self.runtimes[one.name].handle(deliveries)
        await self.bus.delete(self.queue(one), result.delete)
        return result

    async def settle_down(self):
        """Deliver whatever is visible until nothing is."""
        for _ in range(1000):
            results = [await self.work(one) for one in self.agents]
            if not any(result.keep or result.delete for result in results):
                return
        raise AssertionError("the swarm does not come to rest")

    async def housekeep(self, *, minutes=1):
        """Let minutes pass; housekeeping and work in each."""
        for _ in range(minutes):
            self.clock.advance(seconds=60)
            await self.housekeeper.sweep()
            keeper = DeadLetterSweeper(
                self.housekeeper._connection, Log.to(self.log), self.housekeeper
            )
            await keeper.sweep()
            await self.settle_down()

    async def letters(self, one):
        queue = NAMES.dead_letter_queue(one.name, ordered=one.spec.ordered)
        return await self.bus.receive(queue, limit=10, wait_s=0)

    async def see(self, task_id):
        return await view(self.connection, task_id)

    async def record(self, task_id):
        return (await self.see(task_id)).record

    @contextmanager
    def counting(self):
        """Count the writes within, by kind."""
        counts = Counter()
        before = Counter(self.store.counts)
        yield counts
        counts.update(self.store.counts - before)
