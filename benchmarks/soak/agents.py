"""The soak's agents. Each gives `value(n)`, and misbehaves on the attempts that it is told to.

`mischief` is empty, `fail`, or one of `raise:k`, `hang:k` and `kill:k`: what happens on the first
k attempts. `hang` runs past the time-out, `kill` takes the whole process along, by SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

import benchmarks.soak.function_process as process
from sqswarm import Fail, TaskContext, agent
from sqswarm.workers.agent import AnyAgent

TIMEOUT_S = 2
MAX_ATTEMPTS = 4
FRAGILE_ATTEMPTS = 3
LARGE_ATTEMPTS = 12
"""A hundred times the calls meet a hundred times the faults; each attempt goes on where it was."""
_LONG_S = 60.0
LARGE_S = 60


class SoakError(Exception):
    """What an agent raises that was told to."""


def value(n: int) -> int:
    """Return what a task with the argument `n` gives: the audit knows it too."""
    return 7 * n + 3


def _begin(ctx: TaskContext, n: int, mischief: str) -> str:
    """Note that a run begins; return what it has to break by, if anything."""
    lease = None if ctx.journal is None else ctx.journal.lease.v
    process.note(
        "run", task=ctx.task_id, attempt=ctx.attempt, n=n, v=lease, edition=process.edition()
    )
    what, _, times = mischief.partition(":")
    if not what or (times and ctx.attempt > int(times)):
        return ""
    process.note(what, task=ctx.task_id, attempt=ctx.attempt)
    if what == "raise":
        raise SoakError(mischief)
    if what == "fail":
        raise Fail("told to fail", type="SoakFail")
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    return what


async def _run(ctx: TaskContext, n: int, mischief: str) -> int:
    if _begin(ctx, n, mischief) == "hang":
        await asyncio.sleep(_LONG_S)
    return _end(ctx, n)


def _end(ctx: TaskContext, n: int) -> int:
    process.note("returned", task=ctx.task_id, n=n)
    return value(n)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=3, durability="lean")
async def lean(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Record nothing but the result."""
    return await _run(ctx, n, mischief)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=3)
async def standard(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Run under a lease that makes the record."""
    return await _run(ctx, n, mischief)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2, durability="durable")
async def kept(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Run a task that was recorded before it was published."""
    return await _run(ctx, n, mischief)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2)
async def padded(n: int, padding: str, *, ctx: TaskContext) -> int:
    """Take more arguments than a message can carry."""
    if not padding:
        raise Fail("the arguments came without their padding", type="Truncated")
    return await _run(ctx, n, "")


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2, batch=2)
def plain(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Run on a thread: one that hangs costs its process."""
    if _begin(ctx, n, mischief) == "hang":
        time.sleep(_LONG_S)
    return _end(ctx, n)


@agent(timeout=TIMEOUT_S, max_attempts=FRAGILE_ATTEMPTS, concurrency=6, batch=1)
async def fragile(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Run alone in its process, which it may take along."""
    return await _run(ctx, n, mischief)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2)
async def stepper(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Do three recorded steps and misbehave between the second and the third."""

    async def step(number: int) -> int:
        process.note("step", task=ctx.task_id, step=f"part{number}")
        return n

    parts = [await ctx.step(f"part{number}", step, number) for number in (1, 2)]
    given = await _run(ctx, n, mischief)
    parts.append(await ctx.step("part3", step, 3))
    return given + sum(parts) - 3 * n


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2, ordered=True)
async def inorder(n: int, key: str, mischief: str = "", *, ctx: TaskContext) -> int:
    """Run in the order of its key."""
    process.note("order", task=ctx.task_id, key=key, n=n)
    return await _run(ctx, n, mischief)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2)
async def fan(n: int, width: int, *, ctx: TaskContext) -> int:
    """Fan out to child tasks, of which one misbehaves once, and join them."""
    _begin(ctx, n, "")
    children = [
        ctx.task("kept", n=n + i, mischief="raise:1" if i == n % width else "")
        for i in range(width)
    ]
    given = await ctx.gather(*children)
    if given != [value(n + i) for i in range(width)]:
        raise Fail(f"the children gave {given}", type="WrongChildren")
    return _end(ctx, n)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2)
async def asker(n: int, mischief: str = "", *, ctx: TaskContext) -> int:
    """Ask a person for a number, which is zero."""
    given = await ctx.ask("zero", f"What is {n} - {n}?", int)
    return await _run(ctx, n, mischief) + int(given)


@agent(timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, concurrency=2)
async def sleeper(n: int, mischief: str = "", seconds: float = 2, *, ctx: TaskContext) -> int:
    """Sleep without a worker, for two seconds or for as long as is said."""
    await ctx.sleep(seconds)
    return await _run(ctx, n, mischief)


@agent(timeout=LARGE_S, max_attempts=LARGE_ATTEMPTS, concurrency=2, batch=1)
async def large(n: int, steps: int, size: int, *, ctx: TaskContext) -> int:
    """Do many recorded steps, each of so many characters, and read them all after a wait."""

    async def step(number: int) -> str:
        process.note("step", task=ctx.task_id, step=f"part{number}")
        return "x" * size

    parts = [await ctx.step(f"part{number}", step, number) for number in range(steps)]
    await ctx.sleep(1)
    return await _run(ctx, n, "") + sum(map(len, parts)) - steps * size


AGENTS: dict[str, AnyAgent] = {
    one.name: one
    for one in (
        lean,
        standard,
        kept,
        padded,
        plain,
        fragile,
        stepper,
        inorder,
        fan,
        asker,
        sleeper,
        large,
    )
}
