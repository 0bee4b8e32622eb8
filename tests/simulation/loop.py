"""A deterministic asyncio event loop: virtual time, first in first out, no real waiting.

What differs from storm to storm is only when answers arrive, which the faulty ports decide. So the
loop keeps asyncio's own order, and code that counts turns of the loop sees what it sees in life.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.process import Process


class SimTask(asyncio.Task[Any]):
    """A task that belongs to a process and is hashed by its number: sets keep one order."""

    number: int
    process: Process | None

    def __hash__(self) -> int:
        """Return the task's number."""
        return self.number


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs until nothing is left to do; time jumps to the next timer."""

    def __init__(self) -> None:
        """Start at time 0."""
        self.now = 0.0
        self.turns = 0
        self.errors: list[dict[str, Any]] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = 0
        self._running = False

    def run(self, *, until_s: float, turns: int) -> bool:
        """Run until nothing is left, or one of the limits is met; whether nothing is left."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        self._running = True
        try:
            while self._ready or self._timers:
                if self.turns >= turns:
                    return False
                if not self._ready:
                    when, _, timer = self._timers[0]
                    if timer.cancelled():
                        heapq.heappop(self._timers)
                        continue
                    if when > until_s:
                        return False
                    heapq.heappop(self._timers)
                    self.now = max(self.now, when)
                    self._ready.append(timer)
                self._turn()
            return True
        finally:
            self._running = False
            events._set_running_loop(before)

    def _turn(self) -> None:
        """Run what is ready now; what that makes ready waits for the next turn."""
        ready = self._ready
        self.turns += 1
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def passing(self, seconds: float) -> asyncio.Future[None]:
        """Return a future that is done after `seconds`: a lighter asyncio.sleep."""
        future: asyncio.Future[None] = asyncio.Future(loop=self)
        self.call_at(self.now + seconds, _done, future)
        return future

    def forget_timers(self) -> None:
        """Drop what is still to come; what is cancelled goes on being ended."""
        self._timers.clear()

    # What asyncio's futures, tasks and timers ask of their loop.

    def time(self) -> float:
        """Return seconds since the start."""
        return self.now

    def call_soon(  # type: ignore[override] # typeshed ties the arguments together
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Call in the next turn."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # typeshed ties the arguments together
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call after `delay` virtual seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # typeshed ties the arguments together
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at a virtual time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, timer))
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
        process: Process | None = None,
    ) -> SimTask:
        """Start a task in the process of the one that starts it (or in `process`)."""
        task = SimTask.__new__(SimTask)
        self._numbers += 1
        task.number = self._numbers  # before __init__, which puts it into a set
        if process is None:
            parent = asyncio.current_task(self)
            process = parent.process if isinstance(parent, SimTask) else None
        task.process = process
        task.__init__(coro, loop=self, name=name or "task", context=context)  # type: ignore[misc]
        if process is not None:
            process.started(task)
        return task

    def get_debug(self) -> bool:
        """Return False: debugging would slow every storm."""
        return False

    def is_running(self) -> bool:
        """Tell whether `run` is on."""
        return self._running

    def is_closed(self) -> bool:
        """Return False: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio complains of: an invariant looks at it."""
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it: `run` skips cancelled timers."""


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
