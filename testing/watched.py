"""The memory twins as a memory swarm has them: faults at each write, and what moves when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.schemas.notice import Target
from sqswarm.schemas.protocol import STEP_PREFIX
from sqswarm.schemas.task import TASK_SORT_KEY, task_of
from sqswarm.schemas.writes import Applied, Item, Key, Write, WriteOutcome
from sqswarm.testing.faults import Faults, When
from sqswarm.testing.operations import name_of, operation_name
from sqswarm.testing.virtual_loop import process
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.durable.journal import Journal, Operation
from sqswarm.workers.durable.journal_entry import JournalEntry
from sqswarm.workers.durable.step import called
from sqswarm.workers.runtime.execute import AgentExecutor
from sqswarm.workers.runtime.outcome import Outcome

_ONLY_TIMES = {"due_at", "due_shard"}
_DONE = ("step ", "undo ")
"""Names of writes that record what has been done just before."""


def _pass(faults: Faults, when: When, name: str, key: Key) -> None:
    """Pass a moment of the worker whose code runs; raises CancelledError where it dies of it."""
    worker = process.get()
    if worker is None:
        return
    _, agent, task_id = key.pk.split("#")
    if faults.kills(when, name, agent=agent, task_id=task_id):
        worker.kill()
        raise asyncio.CancelledError


class WatchedStore(MemoryStore):
    """A table whose writes by workers may fail, or be the worker's last."""

    def __init__(self, faults: Faults) -> None:
        """Start empty."""
        super().__init__()
        self.faults = faults
        self.changes = 0
        """Writes that changed more than when a task is to be looked at."""
        self.due_at: dict[Key, int] = {}

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write, if its worker and its faults let it."""
        name = self._begin(write)
        outcome = await super().write(write)
        if isinstance(outcome, Applied):
            self._noted(write)
        self._end(write, name)
        return outcome

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all of the writes or none, likewise."""
        steps = (write for write in writes if write.key.sk.startswith(STEP_PREFIX))
        first = next(steps, next((write for write in writes if write.changes), writes[0]))
        name = self._begin(first)
        outcomes = await super().transact(writes)
        if all(isinstance(outcome, Applied) for outcome in outcomes):
            for write in writes:
                if write.changes:
                    self._noted(write)
        self._end(first, name)
        return outcomes

    async def read(self, key: Key) -> Item | None:
        """Return one item, to a worker that lives."""
        _check()
        return await super().read(key)

    async def read_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Return the items that exist, to a worker that lives."""
        _check()
        return await super().read_many(keys)

    async def read_group(
        self, pk: str, *, after_sk: str = "", names: Sequence[str] = (), limit: int | None = None
    ) -> list[Item]:
        """Return the items under one partition key, to a worker that lives."""
        _check()
        return await super().read_group(pk, after_sk=after_sk, names=names, limit=limit)

    def _begin(self, write: Write) -> str:
        _check()
        if process.get() is None or write.key.pk.count("#") != 2:  # noqa: PLR2004 - a task's own
            return ""
        name, agent = name_of(write), task_of(write.key)[0]
        _pass(self.faults, "during" if name.startswith(_DONE) else "before", name, write.key)
        error = self.faults.throttles(name, agent=agent)
        if error is None and not name.startswith(_DONE):
            error = self.faults.error("before", name, agent=agent)
        if error is not None:
            raise error
        return name

    def _end(self, write: Write, name: str) -> None:
        if not name:
            return
        _pass(self.faults, "after", name, write.key)
        if not name.startswith(_DONE):
            error = self.faults.error("after", name, agent=task_of(write.key)[0])
            if error is not None:
                raise error

    def _noted(self, write: Write) -> None:
        if any(change.name not in _ONLY_TIMES for change in write.changes):
            self.changes += 1
        if write.key.sk == TASK_SORT_KEY:
            due_at = self.items[write.key].get("due_at")
            if due_at is None:
                self.due_at.pop(write.key, None)
            else:
                self.due_at[write.key] = due_at


class WatchedBus(MemoryBus):
    """Topics and queues that deliver more often than once, where a fault says so."""

    def __init__(self, now_ms: Callable[[], int], faults: Faults) -> None:
        """Start with no topics and no queues."""
        super().__init__(now_ms)
        self.faults = faults
        self.agents: dict[str, str] = {}
        """Agents by their queues' names."""
        self.moved: Callable[[], None] = lambda: None

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Copy each message to the queues whose filter it passes, if the worker lives."""
        self._begin()
        await super().publish(topic, messages)

    async def send(self, queue: str, messages: Sequence[Outgoing], *, delay_s: int = 0) -> None:
        """Put each message into the queue, if the worker lives."""
        self._begin()
        await super().send(queue, messages, delay_s=delay_s)

    async def tell(self, target: Target, messages: Sequence[Outgoing]) -> None:
        """Keep what is told, if the worker lives."""
        self._begin()
        await super().tell(target, messages)

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Change when a message comes back, if the worker lives."""
        _check()
        await super().hide(queue, receipt, seconds=seconds)

    def _begin(self) -> None:
        _check()
        worker = process.get()
        if worker is not None and (error := self.faults.throttles("send", agent=worker.name)):
            raise error

    def _store(
        self,
        queue: str,
        body: str,
        attributes: Mapping[str, str],
        group: str | None,
        *,
        delay_s: int = 0,
    ) -> None:
        agent = self.agents.get(queue)
        for _ in range(self.faults.copies(agent) if agent is not None else 1):
            super()._store(queue, body, attributes, group, delay_s=delay_s)
        self.moved()


def _check() -> None:
    """Raise CancelledError in the code of a worker that is dead."""
    worker = process.get()
    if worker is not None:
        worker.check()


class WatchedExecutor(AgentExecutor):
    """Runs an agent with a journal and steps at which faults happen."""

    def __init__(self, agent: AnyAgent, *, faults: Faults) -> None:
        """Prepare for `agent`."""
        super().__init__(agent, slots=agent.spec.batch_size)
        self._faults = faults

    async def execute(
        self, arguments: Mapping[str, Any], context: TaskContext, *, timeout_s: float
    ) -> Outcome:
        """Run the agent once."""
        if context.journal is not None:
            journal = WatchedJournal(context.journal, self._faults)
            watched = object.__new__(_WatchedContext)
            vars(watched).update(vars(context), journal=journal)
            context = watched
        return await super().execute(arguments, context, timeout_s=timeout_s)


class WatchedJournal(Journal):
    """A journal at each of whose new operations the worker may die."""

    def __init__(self, journal: Journal, faults: Faults) -> None:
        """Open it in place of `journal`."""
        super().__init__(journal.worker, journal.lease)
        self.faults = faults

    @asynccontextmanager
    async def operation(
        self, names: Sequence[str]
    ) -> AsyncIterator[tuple[Operation, dict[str, JournalEntry]]]:
        """Open one operation under its names."""
        async with super().operation(names) as (operation, found):
            if names and any(name not in found for name in names) and names[0][:5] == "step ":
                _pass(self.faults, "before", operation_name(names[0]), self.lease.key)
            yield operation, found

    async def meet_undo(self, name: str, call: Callable[[], Any], *, retries: int) -> None:
        """Take what undoes a recorded step, with its moments and failures."""
        shown = operation_name(f"undo {name.removeprefix('step ')}")
        agent = self.lease.agent

        async def watched() -> None:
            _pass(self.faults, "before", shown, self.lease.key)
            if (error := self.faults.error("before", shown, agent=agent)) is not None:
                raise error
            await called(self, call)
            if (error := self.faults.error("after", shown, agent=agent)) is not None:
                raise error

        await super().meet_undo(name, watched, retries=retries)


class _WatchedContext(TaskContext):
    """A context whose steps fail where a fault says so."""

    async def step(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        retries: int = 0,
        undo: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call `function` once for the whole task; see TaskContext."""
        journal = self.journal
        if isinstance(journal, WatchedJournal):
            function = _failing(journal.faults, f"step {name}", journal.lease.agent, function)
        return await super().step(name, function, *args, retries=retries, undo=undo, **kwargs)


def _failing(
    faults: Faults, name: str, agent: str, function: Callable[..., Any]
) -> Callable[..., Any]:
    """Return `function` with its failures; as it is, a coroutine function or a plain one."""
    import inspect

    def check(when: Any) -> None:
        if (error := faults.error(when, name, agent=agent)) is not None:
            raise error

    if inspect.iscoroutinefunction(getattr(function, "func", function)):

        @wraps(function)
        async def on_the_loop(*args: Any, **kwargs: Any) -> Any:
            check("before")
            value = await function(*args, **kwargs)
            check("after")
            return value

        return on_the_loop

    @wraps(function)
    def on_a_thread(*args: Any, **kwargs: Any) -> Any:
        check("before")
        value = function(*args, **kwargs)
        check("after")
        return value

    return on_a_thread
