"""The memory swarm with twins that count writes and crash where a test says so."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager

from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.runner import attempt
from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.writes import Refused
from sqswarm.testing.clock import VirtualClock as Clock
from sqswarm.testing.memory_stage import MemoryStage


class CrashedError(Exception):
    """What a planned crash raises."""


class CountingStore(MemoryStore):
    """Counts every write that is carried out, by what it changes; may crash before one.

    Or after any, or any `of_kind`: whoever makes write number `dies_after` gets no answer, and
    writes nothing more until the test says that it is `dead` no longer. So dies a killed process.
    """

    def __init__(self):
        super().__init__()
        self.counts = Counter()
        self.crash_before = None
        self.dies_after = self.of_kind = None
        self.dead = False

    async def write(self, write):
        self._watch(write)
        outcome = await super().write(write)
        refused = isinstance(outcome, Refused)
        self.counts[f"refused {kind_of(write)}" if refused else kind_of(write)] += 1
        self._count_down(write)
        return outcome

    async def write_each(self, writes):
        """Carry out each write, up to the one at which the process dies."""
        outcomes = []
        for write in writes:
            crashed = outcomes and isinstance(outcomes[-1], CrashedError)
            outcomes.append(outcomes[-1] if crashed else await attempt(self.write(write)))
        return outcomes

    async def transact(self, writes):
        self._watch(writes[-1])
        self.counts["transaction"] += 1
        outcomes = await super().transact(writes)
        self._count_down(writes[-1])
        return outcomes

    def _watch(self, write):
        if self.dead or (self.crash_before is not None and kind_of(write) == self.crash_before):
            self.crash_before = None
            raise CrashedError(kind_of(write))

    def _count_down(self, write):
        if self.dies_after is None or self.of_kind not in {None, kind_of(write)}:
            return
        self.dies_after -= 1
        if self.dies_after == 0:
            self.dies_after, self.dead = None, True
            raise CrashedError("killed")


def kind_of(write):  # noqa: C901, PLR0912 - a table
    """Name the operation that a write is, by what only it sets."""
    sets = {c.name: getattr(c, "value", None) for c in write.changes}
    status, phase = sets.get("status"), sets.get("phase")
    if write.key.pk.startswith("activity#"):
        return "activity"
    if write.key.sk != "task":
        return write.key.sk.split("#")[0]
    if "undo" in sets:
        return "begin undo"
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
    if phase in {"receiving", "run"} and "waits" in sets:
        return "receive"
    if "state" in sets:
        return "expose"
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
    """May crash at the next publish, or send to a queue; `deaf` targets can be told nothing."""

    crash_at_publish = 0

    def __init__(self, now_ms):
        super().__init__(now_ms)
        self.deaf = set()

    async def tell(self, target, messages):
        self._crash()
        if target.address in self.deaf:
            raise Unreachable(target.address)
        await super().tell(target, messages)

    async def publish(self, topic, messages):
        self._crash()
        await super().publish(topic, messages)

    async def send(self, queue, messages, *, delay_s=0):
        self._crash()
        await super().send(queue, messages, delay_s=delay_s)

    def _crash(self):
        if self.crash_at_publish:
            self.crash_at_publish -= 1
            raise CrashedError("publish")


class MemorySwarm(MemoryStage):
    """A swarm whose store counts and crashes, and whose bus crashes."""

    def __init__(self, *agents, clock=None, notify=()):
        clock = clock or Clock()
        bus = CrashingBus(clock.now_ms)
        super().__init__(*agents, clock=clock, store=CountingStore(), bus=bus, notify=notify)

    @property
    def kept(self):
        """What the table holds, by key, without what it tells of what ran."""
        items = self.store.items
        return {key: item for key, item in items.items() if not key.pk.startswith("activity#")}

    @contextmanager
    def counting(self):
        """Count the writes within, by kind, without what tells of them (test_runtime.py does)."""
        counts = Counter()
        before = Counter(self.store.counts)
        yield counts
        counts.update(self.store.counts - before)
        counts.pop("activity", None)
