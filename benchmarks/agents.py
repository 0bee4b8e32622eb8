"""The agents that the benchmarks deploy."""

import asyncio

from sqswarm import TaskContext, agent


@agent(timeout=30)
async def noop(number: int) -> int:
    """Give the number back."""
    return number


@agent(timeout=60, calls=["noop"])
async def two(number: int, *, ctx: TaskContext) -> list[int]:
    """Call two children and give back what they gave."""
    return await ctx.map("noop", [{"number": number}, {"number": number + 1}])


@agent(timeout=30)
async def nap(seconds: float) -> float:
    """Take some time."""
    await asyncio.sleep(seconds)
    return seconds
