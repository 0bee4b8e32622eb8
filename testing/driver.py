"""Driver: what moves a memory swarm as AWS moves one. It delivers, wakes, and sweeps each minute.

Between two events nothing happens, so time jumps from one to the next.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Iterable, Sequence

from sqswarm.backends.ports.bus import Delivery
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TASK_SORT_KEY, TaskRecord, task_of
from sqswarm.schemas.writes import Key
from sqswarm.testing.clock import START_MS
from sqswarm.testing.faults import Faults
from sqswarm.testing.memory_stage import NAMES, MemoryStage
from sqswarm.testing.virtual_loop import LoopClock, Process, VirtualLoop, process
from sqswarm.testing.watched import WatchedBus, WatchedExecutor, WatchedStore
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.runtime.batch import Runtime

_ROUND_MS = 60_000
"""How often housekeeping runs (correctness.md)."""

_ROUNDS = 100_000


class _Stage(MemoryStage):
    """A stage whose workers may be hit by faults."""

    def __init__(
        self,
        agents: Sequence[AnyAgent],
        clock: LoopClock,
        faults: Faults,
        notify: Sequence[str],
    ) -> None:
        self.faults = faults
        self.watched = WatchedStore(faults)
        self.queues = WatchedBus(clock.now_ms, faults)
        super().__init__(*agents, clock=clock, store=self.watched, bus=self.queues, notify=notify)

    def deploy(self, *agents: AnyAgent) -> None:
        super().deploy(*agents)
        self.queues.agents = {self.queue(one): one.name for one in agents}

    def replace_worker(self, name: str) -> None:
        """Let a worker that knows nothing of before have the agent's next batches."""
        one = next(one for one in self.agents if one.name == name)
        self.runtimes[name] = self.runtime(one)

    def runtime(self, one: AnyAgent) -> Runtime:
        return Runtime(self.worker(one), executor=WatchedExecutor(one, faults=self.faults))


class Driver:
    """Runs a stage on a virtual loop."""

    def __init__(
        self,
        agents: Sequence[AnyAgent],
        clock: LoopClock,
        faults: Faults,
        *,
        notify: Sequence[str] = (),
    ) -> None:
        """Deploy `agents`; `notify` is who may be named, to be told."""
        self.loop = VirtualLoop(clock)
        self.stage = _Stage(agents, clock, faults, notify)
        self._clock = clock
        self._faults = faults
        self._running: dict[asyncio.Task[None], Process] = {}
        self._moved: asyncio.Event | None = None
        self._minute = 0
        self._looked: dict[Key, int] = {}
        """Waiting parents that were looked at, and how much had changed by then."""
        self.stage.queues.moved = self._move

    def _move(self) -> None:
        if self._moved is not None:
            self._moved.set()

    @property
    def can_move(self) -> bool:
        """Tell whether anything runs, or will by itself."""
        return bool(self._running) or self._next_ms(questions=False) is not None

    @property
    def changes(self) -> int:
        """Return how much has been recorded so far."""
        return self.stage.watched.changes

    async def run(self, *, until_ms: int | None, done: Callable[[], bool] | None) -> None:
        """Run until `done()`, until a time (Unix milliseconds), or until nothing can move."""
        for _ in range(_ROUNDS):
            if done is not None and done():
                return
            if not await self._go_on(until_ms):
                return
        message = "the swarm does not come to rest"
        raise AssertionError(message)

    async def run_to_next(self) -> None:
        """Do what can be done now, or jump to what comes next and do that."""
        await self._go_on(None)
        await self._go_on(self._clock.now_ms())

    async def _go_on(self, until_ms: int | None) -> bool:
        """Deliver what there is, and wait for what happens next; False where that is nothing."""
        await self._deliver()
        next_ms = self._next_ms(questions=until_ms is not None)
        if self._running:
            ends = [ms for ms in (next_ms, until_ms) if ms is not None]
            await self._wait(min(ends) if ends else None)
        elif next_ms is not None and (until_ms is None or next_ms <= until_ms):
            self._clock.to(next_ms)
        else:
            if until_ms is not None:
                self._clock.to(until_ms)
            return False
        await self._housekeep()
        return until_ms is None or self._clock.now_ms() < until_ms or not self._running

    async def _wait(self, until_ms: int | None) -> None:
        """Let what runs go on until some of it ends, a message comes, or a time."""
        self._moved = asyncio.Event()
        moved = asyncio.ensure_future(self._moved.wait())
        timeout = None if until_ms is None else max(0.0, (until_ms - self._clock.now_ms()) / 1000)
        done, _ = await asyncio.wait(
            {*self._running, moved}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        moved.cancel()
        for task in done - {moved}:
            worker = self._running.pop(task)  # type: ignore[arg-type]
            if worker.dead:
                self.stage.replace_worker(worker.name)
            elif not task.cancelled():
                task.result()
        if not done and until_ms is not None:
            self._clock.to(until_ms)

    async def _deliver(self) -> None:
        """Give workers what is visible, as many batches of an agent as it may have workers."""
        for one in self.stage.agents:
            while sum(w.name == one.name for w in self._running.values()) < one.spec.concurrency:
                queue = self.stage.queue(one)
                deliveries = await self.stage.bus.receive(
                    queue, limit=one.spec.batch_size, wait_s=0
                )
                if not deliveries:
                    break
                self._start(one, deliveries)

    def _start(self, one: AnyAgent, deliveries: Sequence[Delivery]) -> None:
        worker = Process(one.name)
        context = contextvars.copy_context()
        context.run(process.set, worker)
        batch = self._carry(one, deliveries)
        self._running[self.loop.create_task(batch, context=context)] = worker

    async def _carry(self, one: AnyAgent, deliveries: Sequence[Delivery]) -> None:
        result = await self.stage.runtimes[one.name].handle(deliveries)
        await self.stage.bus.delete(self.stage.queue(one), result.delete)

    def _next_ms(self, *, questions: bool) -> int | None:
        """Return when something happens by itself next (Unix milliseconds)."""
        now = self._clock.now_ms()
        coming = [ms for ms in self._visible(self._queues) if ms > now]
        dues = [
            ms
            for key, ms in self.stage.watched.due_at.items()
            if self._counts(key, questions=questions)
        ]
        dues += self._visible(self._dead_letter_queues, unexplained=True)
        if dues:
            due = max(min(dues), now + 1)
            coming.append(due + (START_MS - due) % _ROUND_MS)
        return min(coming, default=None)

    @property
    def _queues(self) -> Iterable[str]:
        return self.stage.queues.agents

    @property
    def _dead_letter_queues(self) -> Iterable[str]:
        return [
            NAMES.dead_letter_queue(one.name, ordered=one.spec.ordered) for one in self.stage.agents
        ]

    def _visible(self, queues: Iterable[str], *, unexplained: bool = False) -> list[int]:
        return [
            ms
            for queue in queues
            for ms, attributes in self.stage.bus.visible_ms(queue)
            if not (unexplained and "reason" in attributes)
        ]

    def _counts(self, key: Key, *, questions: bool) -> bool:
        """Tell whether looking at a task that is due may change anything."""
        item = self.stage.store.items[key]
        asks = item["status"] == Status.INPUT_REQUIRED.value
        receives = item["phase"] == Phase.RECEIVING.value and item["status"] == Status.WORKING.value
        if asks or receives:
            return questions
        if item["phase"] == Phase.WAITING.value and item["status"] == Status.WORKING.value:
            return self._looked.get(key) != self.changes
        begins = {Phase.RUN.value, Phase.CHILDREN_DONE.value}
        to_begin = item["status"] == Status.WORKING.value and item["phase"] in begins
        return not (to_begin and self._is_held(task_of(key)[0]))

    def _is_held(self, agent: str) -> bool:
        held = {self.stage.queues.agents.get(queue) for queue in self.stage.queues.held}
        return agent in held

    async def _housekeep(self) -> None:
        """Sweep, where a minute is over and anything is due."""
        now = self._clock.now_ms()
        before, self._minute = self._minute, (now - START_MS) // _ROUND_MS
        if self._minute == before:
            return
        due = [key for key, ms in self.stage.watched.due_at.items() if ms <= now]
        letters = [
            ms for ms in self._visible(self._dead_letter_queues, unexplained=True) if ms <= now
        ]
        if not (due or letters):
            return
        await self.stage.housekeeper.sweep()
        await self.stage.dead_letter_sweeper.sweep()
        for key in due:
            self._looked[key] = self.changes

    async def redeliver(self, task_id: str) -> None:
        """Publish a task's message again; raises TaskNotFound where there is no such task."""
        for key, item in self.stage.store.items.items():
            if key.sk == TASK_SORT_KEY and task_of(key)[1] == task_id:
                await republish(self.stage.connection, [TaskRecord.from_item(item)])
                return
        message = f"there is no task {task_id}, or no worker has begun it"
        raise TaskNotFound(message)

    async def close(self) -> None:
        """Cancel what still runs."""
        for worker in self._running.values():
            worker.kill()
        if self._running:
            await asyncio.wait(self._running)
        if claude := sys.modules.get("sqswarm.workers.claude.client"):
            await claude.close_clients()
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()
