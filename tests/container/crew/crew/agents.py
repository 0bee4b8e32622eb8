"""Agents for containers; each notes its runs in a file."""

import asyncio
import os
import time
from pathlib import Path

from sqswarm import TaskContext, agent


def note(path: str, line: str) -> None:
    """Append one line to a file that every process on this machine sees."""
    with Path(path).open("a") as file:
        file.write(line + "\n")


@agent(runs_on="container", concurrency=20)
async def count(number: int, notes: str, *, ctx: TaskContext) -> int:
    """Give the number back."""
    note(notes, f"{number} {ctx.attempt} {os.getpid()}")
    return number


@agent(runs_on="container", timeout=3600, concurrency=4)
async def slow(seconds: float, notes: str, *, ctx: TaskContext) -> int:
    """Do a step, then take a while, unless an earlier attempt has."""
    await ctx.step("first", lambda: note(notes, f"step {ctx.attempt}"))
    note(notes, f"start {ctx.attempt} {os.getpid()}")
    await asyncio.sleep(seconds if ctx.attempt == 1 else 0)
    note(notes, f"end {ctx.attempt}")
    return ctx.attempt


@agent(runs_on="container", concurrency=3, timeout=20)
def busy(notes: str) -> None:
    """Hold a thread for a moment: a plain function."""
    note(notes, f"in {time.monotonic()}")
    time.sleep(0.5)
    note(notes, f"out {time.monotonic()}")


@agent(runs_on="container", timeout=1, max_attempts=1, concurrency=2)
def stuck(seconds: float) -> None:
    """Hang in a thread that nothing can stop."""
    time.sleep(seconds)


@agent(runs_on="container", ordered=True, concurrency=10)
async def orderly(text: str, notes: str) -> str:
    """Note the text."""
    await asyncio.sleep(0.05)
    note(notes, text)
    return text


@agent(runs_on="container", durability="durable")
async def parent(numbers: list[int], notes: str, *, ctx: TaskContext) -> int:
    """Sum what children give back."""
    return sum(await ctx.map("count", [{"number": n, "notes": notes} for n in numbers]))
