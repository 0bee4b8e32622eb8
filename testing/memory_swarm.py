"""MemorySwarm: Swarm's names over the real dispatcher, workers and housekeeping, on virtual time.

>>> from sqswarm import TaskContext, agent
>>> from sqswarm.testing import MemorySwarm
>>> @agent
... async def remind(text: str, *, ctx: TaskContext) -> str:
...     await ctx.sleep(30 * 24 * 3600)
...     return text
>>> memory = MemorySwarm(remind)
>>> task = memory.submit(remind, text="water the plants")
>>> memory.run()
>>> task.result()
'water the plants'
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.async_client import AsyncTask
from sqswarm.dispatcher.client import Swarm, Task
from sqswarm.dispatcher.submit import Request
from sqswarm.schemas.errors import TaskNotFound, TimedOut, UsageError
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import NamedAgent
from sqswarm.schemas.task import TASK_SORT_KEY, TaskRecord
from sqswarm.testing.driver import Driver
from sqswarm.testing.faults import Fault, Faults, Moment
from sqswarm.testing.virtual_loop import LoopClock
from sqswarm.workers.agent import Agent, AnyAgent

T = TypeVar("T")

_SHOWN_LINES = 40


class MemoryTask(Task):
    """A handle of a task in memory. Whoever waits for its result moves the swarm."""

    def __init__(self, task: AsyncTask, memory: MemorySwarm) -> None:
        """Handles are made by MemorySwarm."""
        super().__init__(task)
        self._memory = memory

    def result(self, timeout: float | None = None) -> Any:
        """Run the swarm until this task has ended, and return what the agent returned.

        `timeout` is virtual seconds. Raises TaskFailed and TaskCancelled as `Task` does; TimedOut
        after `timeout`, or where nothing can move and the task waits for an answer.
        """
        self._memory.run_until(lambda: self.status().terminal, timeout=timeout)
        if not self.status().terminal:
            raise self._memory.stuck(self.id, timeout)
        return super().result(timeout=0)

    def redelivered(self) -> None:
        """Have the task's message delivered once more, whatever has become of the task."""
        self._memory.redeliver(self.id)


class MemorySwarm(Swarm):
    """A swarm of agents in this process: no AWS, and no waiting.

    Nothing moves by itself: `run` moves it, and so does `result()` of a task. It sees every
    principal's tasks. Schedules do not fire. Use it in plain tests and in `async` ones alike.
    """

    def __init__(
        self, *agents: AnyAgent | Iterable[AnyAgent] | ModuleType, faults: Iterable[Fault] = ()
    ) -> None:
        """Deploy agents, given by themselves, in lists, or as the modules that declare them.

        `faults` are what goes wrong: Kill, Failure, Throttle, Duplicate.
        """
        self.faults = Faults(faults)
        self.clock = LoopClock()
        self._driver = Driver(_agents(agents), self.clock, self.faults)
        self.stage = self._driver.stage
        connection = replace(
            self.stage.connection_for("me", operator=True), runner=_CallersRunner(self)
        )
        super().__init__(connection, BlockingRunner())
        self._thread: ThreadPoolExecutor | None = None

    # Time

    def run(self, **length: float) -> None:
        """Run until nothing can move: sleeps are passed, retries made, questions left open.

        With a length (`seconds`, `minutes`, `hours`, `days`; added up), so much time passes and
        no more: then questions whose time ends meanwhile time out.
        """
        seconds = timedelta(**length).total_seconds() if length else None
        self.run_until(None, timeout=seconds)

    def run_until(self, done: Callable[[], bool] | None, *, timeout: float | None = None) -> None:
        """Run until `done()`, or for `timeout` virtual seconds, or until nothing can move."""
        until_ms = None if timeout is None else self.clock.now_ms() + round(1000 * timeout)
        self._on_the_loop(self._driver.run(until_ms=until_ms, done=done))

    def step_on(self, seconds: float) -> None:
        """Do what can be done now; where that is nothing, jump to what comes next.

        Where nothing comes any more, `seconds` pass.
        """
        before = self._driver.changes
        self._on_the_loop(self._driver.run_to_next())
        if self._driver.changes == before and not self._driver.can_move:
            self.clock.advance(seconds=seconds)

    def _on_the_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the virtual loop; on a thread beside where a loop runs here already."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._driver.loop.run_until_complete(work)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="memory-swarm")
        context = contextvars.copy_context()
        run = self._driver.loop.run_until_complete
        done: T = self._thread.submit(context.run, run, work).result()
        return done

    def deploy(self, *agents: AnyAgent | Iterable[AnyAgent] | ModuleType) -> None:
        """Replace agents by others of their names, or add some: what waits goes on with these.

        Parked tasks are resumed, as `sqswarm deploy` does.
        """
        mine = {one.name: one for one in self.stage.agents}
        self.stage.deploy(*{**mine, **{one.name: one for one in _agents(agents)}}.values())
        self._swarm._connection.catalogue = self.stage.catalogue  # noqa: SLF001 - of its own client
        self._on_the_loop(self.stage.resume_parked())

    # What goes wrong

    def add_faults(self, *faults: Fault) -> None:
        """Let these go wrong from now on."""
        self.faults.add(*faults)

    @property
    def moments(self) -> list[Moment]:
        """Return the moments that workers have passed: at each they could have been killed."""
        return self.faults.moments

    def redeliver(self, task_id: str) -> None:
        """Have a task's message delivered once more; raises TaskNotFound for an unknown one."""
        self._on_the_loop(self._driver.redeliver(task_id))

    # What is seen

    @property
    def records(self) -> list[TaskRecord]:
        """Return the records of all tasks, the oldest first."""
        items = [i for k, i in self.stage.store.items.items() if k.sk == TASK_SORT_KEY]
        return sorted(map(TaskRecord.from_item, items), key=lambda one: one.created_ms)

    def logs(self, task_id: str = "") -> list[str]:
        """Return what was logged, as lines of JSON; of one task, or all."""
        return [line for line in self.stage.log.getvalue().splitlines() if task_id in line]

    def report(self) -> str:
        """Return how every task stands and what became of it, and the newest log lines."""
        from sqswarm.testing.report import tasks_text, timelines_text

        records = self.records
        lines = self.logs()[-_SHOWN_LINES:]
        left = [f"has not happened: {one}" for one in self.faults.left]
        told = [*tasks_text(records), *timelines_text(self, records), *left]
        return "\n".join([*told, "", *lines])

    def stuck(self, task_id: str, timeout: float | None) -> TimedOut:
        """Return why a task has no result."""
        try:
            record = self.get(task_id).record
        except TaskNotFound:
            return TimedOut(f"task {task_id} has not been begun")
        if record.asks:
            keys = ", ".join(repr(key) for key in record.asks)
            error = TimedOut(f"task {task_id} of {record.agent} asks {keys}")
            error.hint = 'Answer in the test: task.answer("key", value).'
            return error
        after = "" if timeout is None else f" after {timeout:g} s"
        return TimedOut(f"task {task_id} of {record.agent} is {record.phase.value}{after}")

    def close(self) -> None:
        """End the swarm: what still runs is cancelled."""
        if self._driver.loop.is_closed():
            return
        self._on_the_loop(self._driver.close())
        if self._thread is not None:
            self._thread.shutdown()
        self._driver.loop.close()
        super().close()

    # Swarm's names, whose handles move the swarm

    def submit(self, agent: str | NamedAgent, /, **given: Any) -> MemoryTask:
        """Submit one task; see `Swarm.submit`."""
        return self._mine(super().submit(agent, **given))

    def submit_many(self, agent: str | NamedAgent, requests: Sequence[Request]) -> list[Task]:
        """Submit several tasks for one agent; see `Swarm.submit_many`."""
        return [self._mine(task) for task in super().submit_many(agent, requests)]

    def publish_many(
        self,
        topic: str,
        payloads: Sequence[JsonObject],
        *,
        type: str | None = None,  # noqa: A002 - the contract's word
    ) -> Sequence[list[Task]]:
        """Publish several events; see `Swarm.publish_many`."""
        events = super().publish_many(topic, payloads, type=type)
        return [[self._mine(task) for task in tasks] for tasks in events]

    def publish(
        self,
        topic: str,
        payload: JsonObject,
        *,
        type: str | None = None,  # noqa: A002 - the contract's word
    ) -> list[Task]:
        """Publish an event; see `Swarm.publish`."""
        return self.publish_many(topic, [payload], type=type)[0]

    def wait(self, tasks: Iterable[Task | str], timeout: float | None = None) -> Iterator[Task]:
        """Yield tasks as they end; see `Swarm.wait`. `timeout` is virtual seconds."""
        given = list(tasks)
        if timeout is not None:
            self.run_until(lambda: all(map(self._is_over, given)), timeout=timeout)
        for task in super().wait(given, None if timeout is None else 0):
            yield self._mine(task)

    def task(self, task_id: str) -> MemoryTask:
        """Return a handle of a task; see `Swarm.task`."""
        return self._mine(super().task(task_id))

    def redrive(self, task_id: str, **more: Any) -> MemoryTask:
        """Run an ended task again; see `Swarm.redrive`."""
        return self._mine(super().redrive(task_id, **more))

    def _is_over(self, task: Task | str) -> bool:
        if isinstance(task, Task):
            return task.status().terminal
        try:
            return self.get(task).status.terminal
        except TaskNotFound:
            return False

    def _mine(self, task: Task) -> MemoryTask:
        return task if isinstance(task, MemoryTask) else MemoryTask(task._task, self)  # noqa: SLF001 - its own subclass


class _CallersRunner(LoopClock):
    """What the test's own calls run on: nothing beside anything, and waiting moves the swarm."""

    def __init__(self, memory: MemorySwarm) -> None:
        super().__init__()
        self._memory = memory

    def now_ms(self) -> int:
        return self._memory.clock.now_ms()

    def monotonic(self) -> float:
        return self._memory.clock.elapsed_s

    def random_bits(self, bits: int) -> int:
        return self._memory.clock.random_bits(bits)

    async def gather(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        return [await one for one in work]

    async def sleep(self, seconds: float) -> None:
        self._memory.step_on(seconds)


def _agents(given: Iterable[Any]) -> list[AnyAgent]:
    found: dict[str, AnyAgent] = {}
    for one in given:
        if isinstance(one, Agent):
            found[one.name] = one
        elif isinstance(one, ModuleType):
            found |= {a.name: a for a in vars(one).values() if isinstance(a, Agent)}
        elif isinstance(one, Iterable) and not isinstance(one, str):
            found |= {a.name: a for a in _agents(one)}
        else:
            message = f"{one!r} is no agent"
            raise UsageError(message, hint="Pass agents, lists of them, or modules.")
    if not found:
        message = "a memory swarm needs agents"
        raise UsageError(message, hint="MemorySwarm(keywords, write) or MemorySwarm(my_agents).")
    return list(found.values())
