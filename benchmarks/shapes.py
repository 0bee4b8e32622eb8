"""The whole stack in the shapes that people use it in, each beside `map` on the same emulator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from benchmarks.report import Comparison, alternate
from sqswarm import AsyncSwarm, Swarm
from sqswarm.schemas.settings import Settings

LIMIT = 2.0
"""A task run in another shape takes at most so many times what one of `map` takes."""

TASKS = 400
PARENTS = 100
AWAITS = 200
NAPS_S = (0.05, 0.3, 1.1)


def measure(swarm: Swarm, settings: Settings, *, rounds: int = 3) -> Iterator[Comparison]:
    """Run each shape and `map` in turns; seconds are those of one task run."""

    def mapped() -> float:
        return _of_each(
            TASKS, lambda: list(swarm.map("noop", [{"number": n} for n in range(TASKS)]))
        )

    def parents() -> float:
        rows = [{"number": n} for n in range(PARENTS)]
        return _of_each(3 * PARENTS, lambda: [done.result() for done in swarm.map("two", rows)])

    def awaited() -> float:
        return _of_each(AWAITS, lambda: asyncio.run(_awaits(settings)))

    mapped()  # the first batch of all waits for its worker to start
    parents()
    for name, shape in (("a parent with two children", parents), ("concurrent awaits", awaited)):
        ours, theirs = alternate(shape, mapped, rounds=rounds)
        yield Comparison(
            name=f"a task run, {name}",
            baseline="of map",
            seconds=ours,
            baseline_seconds=theirs,
            limit=LIMIT,
            at_most=True,
        )
    yield _latency(swarm)


def _latency(swarm: Swarm) -> Comparison:
    """Wait for tasks alone; from their begin to their result in hand, and what may be at most."""
    seen, most = [], []
    swarm.submit("nap", seconds=0.01).result(timeout=60)
    for seconds in NAPS_S * 4:
        task = swarm.submit("nap", seconds=seconds)
        task.result(timeout=60)
        now_ms = time.time_ns() / 1e6
        timeline = task.timeline()
        ran_s = timeline.run_ms / 1000
        seen.append(ran_s + (now_ms - (timeline.ended_ms or 0)) / 1000)
        most.append(1.1 * ran_s + 0.02)
    return Comparison(
        name="result() in hand",
        baseline="its run + 20 ms + 10 %",
        seconds=seen,
        baseline_seconds=most,
        limit=1.0,
        at_most=True,
    )


async def _awaits(settings: Settings) -> None:
    async with await AsyncSwarm.connect(settings) as swarm:

        async def one(number: int) -> int:
            task = await swarm.submit("noop", number=number)
            return await task.result(timeout=120)

        got = await asyncio.gather(*(one(n) for n in range(AWAITS)))
        if got != list(range(AWAITS)):
            message = "a result is another's"
            raise RuntimeError(message)


def _of_each(runs: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / runs
