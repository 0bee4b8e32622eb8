"""What moves in a storm: queues that call workers, clients, people, housekeeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.ports import FaultyBlobs, FaultyBus, FaultyStore
from simulation.process import EPOCH_MS, Process, ProcessRunner
from simulation.renewed_leases import RenewedSpec
from simulation.world import NAMES, Watcher, World
from sqswarm.backends.log import Log
from sqswarm.backends.ports.bus import Delivery
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import UNREAD, Connection
from sqswarm.dispatcher.validate import Validator
from sqswarm.schemas.task import TASK_SORT_KEY
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.hosts.housekeeping import run_housekeeping
from sqswarm.workers.runtime.batch import BatchResult, Runtime
from sqswarm.workers.runtime.versions import HandOver
from sqswarm.workers.runtime.worker_context import WorkerContext

TTL_S = 14 * 86_400
_WORKERS = 3
_SKEW_MS = 2000
_MINUTE_S = 60.0
_HOUSEKEEPING_S = 120.0
_VALIDATORS: dict[str, Validator] = {}


@dataclass(frozen=True, kw_only=True)
class ProcessLog(Log):
    """A log whose lines are part of the story."""

    process: Process

    def bind(self, **fields: Any) -> ProcessLog:
        """Return a log that adds these fields."""
        return ProcessLog(process=self.process, bound={**self.bound, **fields})

    def _write(self, level: int, event: str, fields: dict[str, Any]) -> None:
        del level
        task_id = fields.pop("task_id", None) or self.bound.get("task_id", "")
        self.process.world.note(self.process, event, str(task_id), fields)


def connection_for(process: Process, principal: str, *, operator: bool = False) -> Connection:
    """Return a dispatcher's desk in a process."""
    world = process.world
    return Connection(
        names=NAMES,
        store=FaultyStore(process, world.store),
        bus=FaultyBus(process, world.bus),
        blobs=FaultyBlobs(process, world.blobs),
        runner=ProcessRunner(process),
        catalogue=world.catalogue,
        principal=principal,
        operator=operator,
        ttl_s=TTL_S,
        _validators=_VALIDATORS,
    )


def start(
    process: Process,
    work: Coroutine[Any, Any, Any],
    then: Callable[[asyncio.Task[Any]], None] | None = None,
) -> None:
    """Run `work` in a process; `then` is told how it ended, unless the process died."""
    if process.world.over:
        work.close()
        return
    task = process.world.loop.create_task(work, process=process)

    def ended(done: asyncio.Task[Any]) -> None:
        if process.dead or done.cancelled():
            return
        done.exception()  # looked at, so that nobody is told it was not
        if then is not None:
            then(done)

    task.add_done_callback(ended)


class Poller:
    """An agent's queue and its worker processes: an event source mapping's, or containers."""

    def __init__(self, world: World, agent: AnyAgent) -> None:
        """Poll for `agent`."""
        self._world = world
        self._agent = agent
        renews = agent.name.endswith("container")
        self._spec = RenewedSpec.of(agent.spec) if renews else agent.spec
        self.queue = NAMES.queue(agent.name)
        self._service = Process(world, f"{agent.name}-queue", mortal=False)
        self._bus = FaultyBus(self._service, world.bus)
        self._skews = [world.chance.randint(-_SKEW_MS, _SKEW_MS) for _ in range(_WORKERS)]
        self._busy: dict[int, Process] = {}
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Look at the queue when its next message may be seen."""
        if self._agent.name not in self._world.catalogue.agents:
            return
        visible_ms = self._world.bus.next_visible_ms(self.queue)
        if visible_ms is None or len(self._busy) == _WORKERS:
            return
        at_s = max(self._world.loop.now, (visible_ms - EPOCH_MS) / 1000) + 0.001
        at_s += 0.2 * self._world.chance.random()
        if self._timer is not None:
            if self._timer.when() <= at_s:
                return
            self._timer.cancel()
        self._timer = self._world.loop.call_at(at_s, self._poll)

    def _poll(self) -> None:
        self._timer = None
        gone = self._agent.name not in self._world.catalogue.agents
        if gone or len(self._busy) == _WORKERS:
            return
        limit = self._world.chance.choice((1, 2, 10))
        deliveries = run_straight(self._world.bus.receive(self.queue, limit=limit, wait_s=0))
        if deliveries:
            slot = next(n for n in range(_WORKERS) if n not in self._busy)
            process = Process(
                self._world, f"{self._agent.name}-{slot + 1}", skew_ms=self._skews[slot]
            )
            self._busy[slot] = process
            for delivery in deliveries:
                self._world.note(process, "delivered", delivery.body, delivery.receipt)
            runtime = Runtime(self._worker(process, self._versions(process)))
            budget_s = None
            if isinstance(self._spec, RenewedSpec):
                runtime.keep_leases(asyncio.Event())
            else:
                limit_s = self._spec.function_timeout_s
                budget_s = limit_s - 1.0
                self._world.loop.call_later(limit_s, self._time_out, process)
            start(
                process,
                runtime.handle(deliveries, budget_s=budget_s),
                lambda done: self._answered(process, done),
            )
        self.wake()

    def _time_out(self, process: Process) -> None:
        """Kill a function process at its time-out; one that stands still escapes."""
        if process in self._busy.values() and not process.zombie:
            process.kill("function time-out")

    def _answered(self, process: Process, done: asyncio.Task[Any]) -> None:
        self.ended(process)
        error = done.exception()
        if error is not None:
            self._world.wrongs.append(("workers-raise-nothing", repr(error)))
            return
        result: BatchResult = done.result()
        if result.delete:
            start(self._service, self._bus.delete(self.queue, result.delete))

    def ended(self, process: Process) -> None:
        """Free the slot of a process that is gone."""
        for slot, busy in list(self._busy.items()):
            if busy is process:
                del self._busy[slot]
                self.wake()

    def _versions(self, process: Process) -> KeptVersions | None:
        if not self._world.fault_plan.keeps_versions or isinstance(self._spec, RenewedSpec):
            return None
        return KeptVersions(process, self._hand_over)

    def _hand_over(self, delivery: Delivery, code: int) -> None:
        """Run a message by a process of another code, which deletes it itself."""
        process = Process(self._world, f"{self._agent.name}-of-code-{code}")
        process.code = code
        versions = KeptVersions(process, self._hand_over, handed_over=True)
        runtime = Runtime(self._worker(process, versions))
        bus, limit_s = FaultyBus(process, self._world.bus), self._spec.function_timeout_s

        async def work() -> None:
            result = await runtime.handle([delivery], budget_s=limit_s - 1.0)
            if result.delete:
                await bus.delete(self.queue, result.delete)

        def time_out() -> None:
            if not process.zombie:
                process.kill("function time-out")

        timer = self._world.loop.call_later(limit_s, time_out)
        start(process, work(), lambda _: timer.cancel())

    def _worker(self, process: Process, versions: KeptVersions | None) -> WorkerContext:
        # Its catalogue is unread yet: reading it is a request like any other.
        connection = connection_for(process, self._spec.name, operator=True)
        return WorkerContext(
            agent=self._agent,
            spec=self._spec,
            connection=replace(connection, catalogue=UNREAD, worker=True),
            log=ProcessLog(process=process),
            name=process.name,
            versions=versions,
            tells=self._world.fault_plan.told,
        )


class KeptVersions:
    """The versions of an agent's function, seen from a process; its code is its version's number.

    An invocation may be refused, lost, late, or made twice.
    """

    def __init__(
        self,
        process: Process,
        invoke: Callable[[Delivery, int], None],
        *,
        handed_over: bool = False,
    ) -> None:
        """Hand over by `invoke`."""
        self._process = process
        self._invoke = invoke
        self.own = str(process.code)
        self.handed_over = handed_over

    async def hand_over(self, delivery: Delivery, version: str) -> HandOver:
        """Let another version have a message, most times."""
        world = self._process.world
        await asyncio.sleep(world.latency())
        times = world.chance.choices((0, 1, 2, -1), (1, 12, 1, 1))[0]
        if times < 0:
            return HandOver.BUSY
        for _ in range(times):
            after_s = world.chance.choice((0.0, 0.1, 20.0))
            world.loop.call_later(after_s, self._invoke, delivery, int(version))
        return HandOver.DONE


class Housekeeping:
    """The housekeeping function's rule: every minute in which there is something to do."""

    def __init__(self, world: World) -> None:
        """Keep house."""
        self._world = world
        self._skew_ms = world.chance.randint(-_SKEW_MS, _SKEW_MS)
        self._timer: asyncio.TimerHandle | None = None
        self._running: Process | None = None
        self.dead_letter_queues = {NAMES.dead_letter_queue(name): name for name in world.agents}

    def wake(self, at_s: float) -> None:
        """Be there at the first full minute from `at_s` on."""
        at_s = max(at_s, self._world.loop.now + 0.001)
        minute_s = _MINUTE_S * -(-at_s // _MINUTE_S)
        if self._timer is not None:
            if self._timer.when() <= minute_s:
                return
            self._timer.cancel()
        self._timer = self._world.loop.call_at(minute_s, self._round)

    def _round(self) -> None:
        self._timer = None
        process = Process(self._world, "housekeeping", skew_ms=self._skew_ms)
        self._running = process
        self._world.loop.call_later(_HOUSEKEEPING_S, self._time_out, process)
        connection = connection_for(process, "housekeeping", operator=True)
        work = run_housekeeping(connection, ProcessLog(process=process))
        start(process, work, lambda _: self.ended(process))

    def _time_out(self, process: Process) -> None:
        if self._running is process:
            process.kill("function time-out")

    def ended(self, process: Process) -> None:
        """Look for what is left to do after a round."""
        if self._running is not process:
            return
        self._running = None
        for key, item in self._world.store.items.items():
            if key.sk == TASK_SORT_KEY and "due_at" in item:
                self.wake((item["due_at"] - EPOCH_MS) / 1000)
        for queue in self.dead_letter_queues:
            self.letters(queue)

    def letters(self, queue: str) -> None:
        """Come for letters that nobody has explained yet."""
        visible_ms = self._world.bus.next_unexplained_ms(queue)
        if visible_ms is not None:
            self.wake((visible_ms - EPOCH_MS) / 1000)


@dataclass(kw_only=True)
class Actors(Watcher):
    """All that moves, told of what it moves for."""

    world: World
    pollers: dict[str, Poller] = field(default_factory=dict)
    housekeeping: Housekeeping
    on_ask: Callable[[str], None] = lambda _: None
    on_record: tuple[Callable[[str], None], ...] = ()

    @classmethod
    def of(cls, world: World) -> Actors:
        """Set up the pollers and housekeeping, and let the world tell them."""
        pollers = [Poller(world, one) for one in world.agents.values()]
        actors = cls(
            world=world,
            pollers={poller.queue: poller for poller in pollers},
            housekeeping=Housekeeping(world),
        )
        world.watcher = actors
        return actors

    def queue_changed(self, queue: str) -> None:
        """Wake who looks after the queue."""
        poller = self.pollers.get(queue)
        if poller is not None:
            poller.wake()
        else:
            self.housekeeping.letters(queue)

    def due_at(self, due_at_ms: int) -> None:
        """Wake housekeeping in time."""
        self.housekeeping.wake((due_at_ms - EPOCH_MS) / 1000)

    def asked(self, task_id: str) -> None:
        """Let people know."""
        self.on_ask(task_id)

    def recorded(self, task_id: str) -> None:
        """Let senders and those who pause know."""
        for tell in self.on_record:
            tell(task_id)

    def process_ended(self, process: Process) -> None:
        """Free what the process had."""
        for poller in self.pollers.values():
            poller.ended(process)
        self.housekeeping.ended(process)
