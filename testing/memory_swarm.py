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
from typing import Any, TypeVar, overload

from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.client import Swarm
from sqswarm.dispatcher.task import Task
from sqswarm.dispatcher.typed import R
from sqswarm.dispatcher.view import input_required
from sqswarm.schemas.errors import InputRequired, TaskNotFound, TimedOut, UsageError
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.notice import target_of
from sqswarm.schemas.task import TASK_SORT_KEY, TaskRecord
from sqswarm.testing.driver import Driver
from sqswarm.testing.faults import Fault, Faults, Moment
from sqswarm.testing.virtual_loop import LoopClock
from sqswarm.workers.agent import Agent, AnyAgent

T = TypeVar("T")

_SHOWN_LINES = 40


class MemoryTask(Task[R]):
    """A handle of a task in memory. Whoever waits for its result moves the swarm."""

    def __init__(self, task: AsyncTask[R], memory: MemorySwarm) -> None:
        """Handles are made by MemorySwarm."""
        super().__init__(task)
        self._memory = memory

    def result(self, timeout: float | None = None, *, wait_for_answers: bool = False) -> R:
        """Run the swarm until this task has ended, and return what the agent returned.

        `timeout` is virtual seconds. Raises what `Task.result` does: InputRequired where it asks a
        person, TimedOut after `timeout`, or where nothing can move. With `wait_for_answers` and a
        `timeout` time goes on past a question: it may end, or have its default.
        """
        memory = self._memory
        stands = {Status.INPUT_REQUIRED} if not wait_for_answers else set()

        def is_over() -> bool:
            status = self.status()
            return status.terminal or status in stands

        memory.run_until(is_over, timeout=timeout)
        if not self.status().terminal:
            raise memory.stuck(self.id, timeout, wait_for_answers=wait_for_answers)
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
        self,
        *agents: AnyAgent | Iterable[AnyAgent] | ModuleType,
        faults: Iterable[Fault] = (),
        notify: Sequence[str] = (),
    ) -> None:
        """Deploy agents, given by themselves, in lists, or as the modules that declare them.

        `faults` are what goes wrong: Kill, Failure, Throttle, Duplicate. `notify` is who may be
        named when a task is submitted, as in pyproject.toml; `told` shows what each was told.
        """
        self.faults = Faults(faults)
        self.clock = LoopClock()
        self._driver = Driver(_agents(agents), self.clock, self.faults, notify=notify)
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

    def told(self, target: str) -> list[dict[str, Any]]:
        """Return the notices that a topic, queue or event bus was told, the oldest first."""
        address = target_of(target, region=self.stage.connection.names.region).address
        return [loads(body) for body in self.stage.bus.told.get(address, [])]

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

    def stuck(
        self, task_id: str, timeout: float | None, *, wait_for_answers: bool = False
    ) -> TimedOut | InputRequired:
        """Return why a task has no result."""
        try:
            record = self.get(task_id).record
        except TaskNotFound:
            return TimedOut(f"task {task_id} has not been begun")
        if record.asks and not (wait_for_answers and timeout is not None):
            return input_required(record)
        after = "" if timeout is None else f" after {timeout:g} s"
        if topics := record.received_topics:
            waits = f"task {task_id} of {record.agent} waits for a signal of {', '.join(topics)}"
            return TimedOut(f"{waits}{after}", hint="Send it one: task.send(topic, value).")
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

    @overload
    def wait(
        self,
        tasks: Iterable[Task[R]],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> Iterator[Task[R]]: ...

    @overload
    def wait(
        self,
        tasks: Iterable[Task[Any] | str],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> Iterator[Task[Any]]: ...

    def wait(
        self,
        tasks: Iterable[Task[Any] | str],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> Iterator[Task[Any]]:
        """Yield tasks as they end; see `Swarm.wait`. `timeout` is virtual seconds."""
        given = list(tasks)
        if timeout is not None:
            stands = set() if wait_for_answers else {Status.INPUT_REQUIRED}
            self.run_until(
                lambda: all(self._is_over(one, stands) for one in given), timeout=timeout
            )
        yield from super().wait(
            given, None if timeout is None else 0, wait_for_answers=wait_for_answers
        )

    def _is_over(self, task: Task[Any] | str, stands: set[Status]) -> bool:
        if isinstance(task, Task):
            status = task.status()
            return status.terminal or status in stands
        try:
            status = self.get(task).status
        except TaskNotFound:
            return False
        return status.terminal or status in stands

    def _handle(self, task: AsyncTask[R]) -> MemoryTask[R]:
        return MemoryTask(task, self)


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
