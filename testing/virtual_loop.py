"""VirtualLoop: asyncio on virtual time. Nobody waits for what only a clock would bring.

While something outside is on the move (a thread of a plain function, a socket that is open), time
goes by as it really does: nothing can know when that will answer. Else it jumps to the next timer.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context, ContextVar
from typing import Any

from sqswarm.testing.clock import START_MS, VirtualClock

process: ContextVar[Process | None] = ContextVar("sqswarm_process", default=None)
"""Whose code runs: None for the test's own."""


class Process:
    """What dies together: one worker, carrying one batch."""

    def __init__(self, name: str) -> None:
        """Start it with nothing to do."""
        self.name = name
        self.dead = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def started(self, task: asyncio.Task[Any]) -> None:
        """Note a task of this process."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def kill(self) -> None:
        """End the process: whatever its code still does reaches nobody."""
        self.dead = True
        for task in list(self._tasks):
            task.cancel()

    def check(self) -> None:
        """Raise CancelledError where the process is dead."""
        if self.dead:
            raise asyncio.CancelledError


class LoopClock(VirtualClock):
    """The clock of a virtual loop, for the code that runs on it."""

    def __init__(self) -> None:
        """Begin in January 2027; what is random comes out alike in every test."""
        super().__init__()
        self._bits = 0x9E3779B97F4A7C15F39CC0605CEDC835

    def to(self, ms: int) -> None:
        """Let time pass until `ms` (Unix milliseconds), where that is not past."""
        self.elapsed_s = max(self.elapsed_s, (ms - START_MS) / 1000)

    async def sleep(self, seconds: float) -> None:
        """Let the loop do something else."""
        await asyncio.sleep(seconds)

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self.elapsed_s

    def random_bits(self, bits: int) -> int:
        """Return the next bits of a fixed sequence."""
        made = 0
        for _ in range(-(-bits // 64)):
            self._bits = (self._bits * 6364136223846793005 + 1442695040888963407) % 2**128
            made = made << 64 | self._bits >> 64
        return int(made % 2**bits)


class _Selector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        clock = self.loop.clock
        if timeout is None or self.loop.outside or len(self.get_map()) > 1:  # 1: the loop's own
            begun = time.monotonic()
            found = super().select(timeout)
            clock.advance(seconds=time.monotonic() - begun)
            return found
        if not (found := super().select(0)):
            clock.advance(seconds=timeout)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a clock's."""

    def __init__(self, clock: LoopClock) -> None:
        """Take the time of `clock`, and move it."""
        self.clock = clock
        self.outside = 0
        """Calls that run on threads now."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def __del__(self) -> None:
        """Close quietly: a test need not close its swarm."""
        if not self.is_running():
            self.close()

    def time(self) -> float:
        """Return virtual seconds since the start."""
        return self.clock.elapsed_s

    def run_in_executor(  # type: ignore[override] # typeshed has the arguments' types
        self, executor: Executor | None, func: Any, *args: Any
    ) -> asyncio.Future[Any]:
        """Run on a thread; time goes by as it does meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self.outside += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self.outside -= 1

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[Any]:
        """Start a task, which belongs to the process whose code starts it."""
        task = super().create_task(coro, context=context, **options)
        owner = process.get() if context is None else context.get(process, None)
        if owner is not None:
            owner.started(task)
        return task
