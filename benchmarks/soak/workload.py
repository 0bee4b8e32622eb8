"""Workload: runs a soak's order through the swarm until all of it has ended, or patience has."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.faults import Proxy, Rates
from benchmarks.soak.audit import Evidence
from benchmarks.soak.containers import Containers
from benchmarks.soak.counts import sums_of
from benchmarks.soak.dispatchers import Dispatchers
from benchmarks.soak.inspector import Inspector
from benchmarks.soak.order import Mischief, Order
from benchmarks.soak.processes import Processes
from benchmarks.soak.ruin import Ruin
from sqswarm import Swarm
from sqswarm.schemas.errors import SwarmError

_LOOK_S = 0.5
_KEEP_HOUSE_S = 4.0
_LINES_S = 1.0
"""How long the emulator collects log lines before it shows them, and more."""
_SETTLING_S = 330.0
"""How long, after the last task has ended, queues and sweep index may take to empty: a copy of a
message that met a table out of reach is hidden for up to five minutes."""


@dataclass(frozen=True, kw_only=True)
class State:
    """How far a soak is."""

    expected: int
    submitted: int
    ended: int
    failed: int
    faults: int
    kills: int


@dataclass(kw_only=True)
class Workload:
    """One soak on a deployed swarm. `tell` hears of its state now and then."""

    order: Order
    mischief: Mischief
    rates: Rates
    proxy: Proxy
    inspector: Inspector
    swarm: Swarm
    """A dispatcher that answers questions, through the proxy."""
    dispatchers: Dispatchers
    containers: Containers
    processes: Processes
    ruin: Ruin
    deadline_s: float
    tell: Callable[[State], None] = field(default=lambda _: None)

    def run(self) -> Evidence:
        """Run it and return what can be held against the promises."""
        processes = self.processes
        begun, since_ms = time.monotonic(), time.time_ns() // 1_000_000
        self.proxy.rates = self.rates
        with ThreadPoolExecutor(4, thread_name_prefix="workload") as pool:
            rounds = _Rounds(self, pool, begun)
            try:
                while not self._over(begun):
                    rounds.step()
                    time.sleep(_LOOK_S)
                seconds = time.monotonic() - begun
                self.proxy.rates = Rates()
                left, due = self._settle(rounds)
                processes.step()  # from here on containers die of our own hand
            finally:
                rounds.stopping = True
                self.dispatchers.stop()
                self.containers.stop()
                self.proxy.rates = Rates()
        time.sleep(_LINES_S)
        lines = chain(self.inspector.lines(since_ms=since_ms), self.containers.lines())
        return Evidence(
            order=self.order,
            expected=self.dispatchers.expected(),
            handles=dict(self.dispatchers.handles),
            records=self.inspector.records(since_ms=since_ms),
            witness=self.proxy.witness,
            skew_s=self.mischief.skew_s,
            notes=processes.notes(),
            died=processes.died,
            letters=list(self.inspector.letters()),
            left=left,
            due=due,
            problems=[*self.dispatchers.broken, *rounds.problems, *self.ruin.problems],
            told=self.ruin.told,
            seconds=seconds,
            dispatchers_killed=self.dispatchers.killed,
            killed_from_outside=processes.killed,
            containers_killed=self.containers.killed,
            counted=sums_of(lines),
            lines_lost="full-disk" in self.mischief.disasters,
            faulty=self.rates != Rates() or bool(self.mischief.disasters),
        )

    def ended(self) -> list[str]:
        """Return the statuses that expected tasks have ended with."""
        endings = self.proxy.witness.endings
        return [endings[id_][0] for id_ in self.dispatchers.expected().values() if id_ in endings]

    def _over(self, begun: float) -> bool:
        if time.monotonic() - begun > self.deadline_s:
            return True
        everything = len(self.ended()) == len(self.dispatchers.expected())
        return self.dispatchers.finished and everything and self.ruin.over

    def _settle(self, rounds: _Rounds) -> tuple[dict[str, int], list[str]]:
        """Wait for duplicates and owed effects; return what queues and index hold at the end."""
        ends = time.monotonic() + _SETTLING_S
        while True:
            rounds.look()
            self.inspector.keep()
            left, due = self.inspector.left(), self.inspector.due()
            if not (left or due) or time.monotonic() > ends:
                return left, due
            time.sleep(_LOOK_S)


class _Rounds:
    """What goes on beside the tasks, looked at twice a second."""

    def __init__(self, workload: Workload, pool: ThreadPoolExecutor, begun: float) -> None:
        self._workload = workload
        self._pool = pool
        self._processes = workload.processes
        self.stopping = False
        self._begun = begun
        self._asked = 0
        self._poison = list(workload.order.poison)
        self._kills = round(len(workload.order.rows) * workload.mischief.outside_kills)
        self._container_kills = round(len(workload.order.rows) * workload.mischief.container_kills)
        self._housekeeping: Future[dict[str, Any]] | None = None
        self._kept_house = begun
        self._answers: list[Future[None]] = []
        self.problems: list[str] = []

    def step(self) -> None:
        self._workload.dispatchers.step()
        self.look()
        ended = len(self._workload.ended())
        share = ended / len(self._workload.order.rows)
        total = len(self._workload.order.poison)
        while self._poison and len(self._poison) > total * (1 - share) - 1:
            self._workload.inspector.poison(*self._poison.pop())
        self._kill(share)
        self._workload.ruin.step(ended)
        if time.monotonic() - self._kept_house > _KEEP_HOUSE_S and (
            self._housekeeping is None or self._housekeeping.done()
        ):
            self._housekeeping = self._pool.submit(self._workload.inspector.keep)
            self._kept_house = time.monotonic()

    def _kill(self, share: float) -> None:
        """Kill workers, spread over the middle of the run: at its ends hardly anything runs."""
        due = min(1.0, max(0.0, share - 0.05) / 0.8)
        if self._processes.killed < self._kills * due:
            self._processes.kill_one()
        containers = self._workload.containers
        if containers.killed < self._container_kills * due:
            containers.kill_one()
        containers.step()

    def look(self) -> None:
        """See who died, answer what is asked, tell how far it is."""
        workload = self._workload
        self._processes.step()
        asking = workload.proxy.witness.asking
        while self._asked < len(asking):
            self._answers.append(self._pool.submit(self._answer, asking[self._asked]))
            self._asked += 1
        ended = workload.ended()
        workload.tell(
            State(
                expected=len(workload.order.rows),
                submitted=len(workload.dispatchers.handles),
                ended=len(ended),
                failed=ended.count("failed"),
                faults=sum(workload.proxy.injected.values()),
                kills=len(self._processes.died),
            )
        )

    def _answer(self, task_id: str) -> None:
        """Answer a task's question; a dispatcher that met too many faults tries again."""
        while not self.stopping:
            with suppress(SwarmError, ClientError, BotoCoreError):
                self._workload.swarm.answer(task_id, "zero", 0)
                return
            time.sleep(_LOOK_S)
        self.problems.append(f"the question of task {task_id} could not be answered")
