"""How the asynchronous core is run: on an event loop, or straight through without one.

The dispatcher is written once, as coroutines. `Swarm` runs them with a BlockingRunner, where
every AWS call blocks and no coroutine ever waits; `AsyncSwarm` and the workers run the same
coroutines on asyncio.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import threading
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Runner(Protocol):
    """What the core needs besides calls: several things at once, time and chance.

    All of it can be made up, so nothing has to be patched where a test wants its own.
    """

    async def gather(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run all of `work` side by side and return their results in order."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow, from some start."""
        ...

    def random_bits(self, bits: int) -> int:
        """Return a number of that many bits that nobody can guess."""
        ...

    def jitter(self) -> float:
        """Return a number from 0 up to 1 that spreads a crowd out; it may be guessed."""
        ...


class _System:
    """The machine's own time and chance."""

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def random_bits(self, bits: int) -> int:
        """Return random bits of the operating system."""
        return random.SystemRandom().getrandbits(bits)

    def jitter(self) -> float:
        """Return a number from 0 up to 1."""
        return random.random()


async def attempt(work: Coroutine[Any, Any, T]) -> T | Exception:
    """Return what `work` returns, or the error it raises: what runs beside it goes on."""
    try:
        return await work
    except Exception as error:
        return error


_here = threading.local()


def is_straight() -> bool:
    """Tell whether a coroutine is run straight through here, without an event loop of its own."""
    return getattr(_here, "straight", False)


def run_straight(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits and return its result.

    Raises RuntimeError if it waits for something after all: then it needs an event loop.
    """
    above, _here.straight = is_straight(), True
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        _here.straight = above
    work.close()
    message = "a coroutine waited where only blocking calls are expected"
    raise RuntimeError(message)


def iterate_straight(items: AsyncGenerator[T]) -> Iterator[T]:
    """Yield what an asynchronous generator yields that never waits; see `run_straight`."""

    async def following() -> tuple[T] | None:
        async for item in items:
            return (item,)
        return None

    try:
        while (found := run_straight(following())) is not None:
            yield found[0]
    finally:
        run_straight(items.aclose())


_OWN = local()


def _take_part() -> None:
    """Mark a thread of a runner's. No method: the thread would keep its runner, and that it."""
    _OWN.busy = True


class BlockingRunner(_System):
    """Runs the core without an event loop; side-by-side work goes to a few threads."""

    def __init__(self, *, threads: int = 4) -> None:
        """Keep at most `threads` calls in flight at a time."""
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None

    async def gather(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run `work` on the threads; one piece alone runs right here.

        So does what one of the threads has to gather in its turn: were it to wait for the others,
        and they likewise, nobody would be left to work.
        """
        if len(work) == 1 or getattr(_OWN, "busy", False):
            return [await piece for piece in work]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(
                self._threads, thread_name_prefix="sqswarm", initializer=_take_part
            )
        contexts = [contextvars.copy_context() for _ in work]  # the caller's, on each thread
        return list(self._pool.map(lambda one, piece: one.run(run_straight, piece), contexts, work))

    async def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is what this runner is for

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class AsyncRunner(_System):
    """Runs the core on the current asyncio event loop."""

    async def gather(self, work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
        """Run `work` as tasks of the loop; a failure cancels the rest."""
        if len(work) == 1:
            return [await work[0]]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(piece) for piece in work]
        return [task.result() for task in tasks]

    async def sleep(self, seconds: float) -> None:
        """Let the loop do something else."""
        await asyncio.sleep(seconds)
