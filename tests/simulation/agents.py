"""The agents of the simulation: each plays the script it is given, piece by piece.

- `ok`, `slow`, `long`: goes on, at once, after a while, after more than a container's lease
- `raise:n`, `retry:n`, `hang:n`, `die:n`: breaks the first n runs by an error, by `Retry`, by
  running past its time-out, by taking its process with it
- `fail`: raises `Fail`
- `step`, `step:caught`: runs a recorded step; one that fails, and goes on past it
- `undo`, `undo:n`, `undo:slow`: runs a recorded step that has an undo; one whose undo raises the
  first n times; one whose undo takes a while
- `sleep:s`: sleeps s seconds without a worker
- `ask`, `ask:2`, `ask:3`, `ask:late`, `ask:never`: asks a person; several things at a time; with
  a time-out that the answer may miss; with one that nobody meets
- `receive:1`, `receive:3`, `receive:late`: receives what is sent to the piece's own topic; with a
  time-out that a sender may miss
- `children a(piece, …) b(piece, …)`: runs child tasks of the agents a and b
- `both a(piece, …)`: runs a child task and asks a person at the same time

Code 0 plays the pieces in their order, code 1 the last two in the other, code 2 runs a recorded
step before all of them, code 3 does both. All tell in their order what the pieces gave.
"""

from __future__ import annotations

import asyncio
from typing import Any

from simulation.process import here
from simulation.scripts import children_of
from sqswarm import Fail, Limit, Retry, TaskContext, agent
from sqswarm.schemas.errors import AskTimedOut, ChildFailed, StepFailed
from sqswarm.workers.agent import AnyAgent

TIMEOUT_S = 30
MAX_ATTEMPTS = 3
CODES = 4
_SLOW_S = 8
_LONG_S = 20
_HANGING_S = 100_000
_UNDO = 1000
"""Pieces are counted from here when they are undone."""

FAILED = "failed"
"""What a child that failed is in its parent's result."""


async def play(script: list[str], ctx: TaskContext) -> list[Any]:
    """Play a script; the result says what each piece gave."""
    world = here().world
    with world.execution(ctx):
        return await _all(script, ctx)


async def _all(script: list[str], ctx: TaskContext) -> list[Any]:
    if ctx.journal is not None:
        here().runs(ctx.task_id, container=ctx.worker.spec.name.endswith("container"))
    code, order = here().code, [*range(len(script))]
    if code in {2, 3} and ctx.journal is not None:
        await ctx.step("added", _added)
    if code in {1, 3}:
        order[-2:] = reversed(order[-2:])
    given = {n: await _piece(ctx, n, script) for n in order}
    return [given[n] for n in range(len(script))]


async def _added() -> str:
    return "added"


async def _piece(ctx: TaskContext, number: int, script: list[str]) -> Any:  # noqa: C901 - one branch a case
    kind, _, rest = script[number].partition(" ")
    kind, _, detail = kind.partition(":")
    match kind:
        case "slow":
            await asyncio.sleep(_SLOW_S)
        case "long":
            await asyncio.sleep(_LONG_S)
        case "raise" | "retry" | "hang" | "die":
            await _break(ctx, kind, number, int(detail))
        case "fail":
            raise Fail("as the script says", type="Scripted")
        case "step":
            return await _step(ctx, number, fails=bool(detail))
        case "undo":
            return await _undoable(ctx, number, detail)
        case "sleep":
            await ctx.sleep(int(detail))
        case "ask" | "receive":
            return await (_ask if kind == "ask" else _receive)(ctx, number, detail)
        case "children":
            tasks = _children(ctx, rest)
            return [_of(r) for r in await ctx.gather(*tasks, return_exceptions=True)]
        case "both":
            asked = ctx.ask(f"both{number}", "?", str)
            given = await ctx.gather(*_children(ctx, rest), asked, return_exceptions=True)
            return [_of(r) for r in given]
    return kind


async def _break(ctx: TaskContext, kind: str, number: int, times: int) -> None:
    if here().world.history(ctx.task_id).met(number) > times:
        return
    match kind:
        case "raise":
            raise RuntimeError("as the script says")
        case "retry":
            raise Retry("as the script says", after=3)
        case "hang":
            await asyncio.sleep(_HANGING_S)
        case "die":
            here().die("the agent took it along")


async def _step(ctx: TaskContext, number: int, *, fails: bool) -> str:
    async def work() -> str:
        here().world.ran_step(ctx, number)
        await asyncio.sleep(0.2)
        if fails:
            raise ValueError("as the script says")
        return "step"

    try:
        return str(await ctx.step(f"work{number}", work))
    except StepFailed:
        return "caught"


async def _undoable(ctx: TaskContext, number: int, detail: str) -> str:
    world = here().world

    async def work() -> str:
        world.ran_step(ctx, number)
        await asyncio.sleep(0.2)
        return "undo"

    async def undo(outcome: str) -> None:
        world.undoing(ctx, number, outcome)
        await asyncio.sleep(_SLOW_S if detail == "slow" else 0.2)
        if detail.isdigit() and world.history(ctx.task_id).met(_UNDO + number) <= int(detail):
            raise RuntimeError("as the script says")

    return str(await ctx.step(f"work{number}", work, undo=undo))


async def _ask(ctx: TaskContext, number: int, detail: str) -> Any:
    match detail:
        case "2" | "3":
            asked = [ctx.ask(f"ask{number}-{n}", "?", str) for n in range(int(detail))]
            return await ctx.gather(*asked)
        case "late":
            return await ctx.ask(f"late{number}", "?", str, timeout=90, on_timeout="default")
        case "never":
            try:
                return await ctx.ask(f"never{number}", "?", str, timeout=200)
            except AskTimedOut:
                return "timed out"
    return await ctx.ask(f"ask{number}", "?", str)


def topic_of(number: int) -> str:
    """Return what a piece of a script receives from."""
    return f"topic{number}"


async def _receive(ctx: TaskContext, number: int, detail: str) -> Any:
    topic = topic_of(number)
    if detail == "late":
        return await ctx.receive(topic, str, timeout=90, on_timeout="default")
    return [await ctx.receive(topic, str) for _ in range(int(detail))]


def _children(ctx: TaskContext, text: str) -> list[Any]:
    return [ctx.task(name, script=list(script)) for name, script in children_of(text)]


def _of(result: Any) -> Any:
    return FAILED if isinstance(result, ChildFailed) else result


@agent(name="lean", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, durability="lean")
async def lean(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script and record nothing but the result."""
    return await play(script, ctx)


@agent(name="standard", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, durability="standard")
async def standard(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script under a lease that makes the record."""
    return await play(script, ctx)


@agent(name="durable", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, durability="durable")
async def durable(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script of a task that was recorded before it was published."""
    return await play(script, ctx)


@agent(name="container", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, durability="standard")
async def container(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script in a worker that renews short leases."""
    return await play(script, ctx)


@agent(name="limited", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, limit=Limit(1, per="script"))
async def limited(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script that no other task plays at the same time."""
    return await play(script, ctx)


@agent(name="limited-container", timeout=TIMEOUT_S, max_attempts=MAX_ATTEMPTS, limit=Limit(2))
async def limited_container(script: list[str], *, ctx: TaskContext) -> list[Any]:
    """Play a script beside one other task at most, in a worker that renews short leases."""
    return await play(script, ctx)


AGENTS: dict[str, AnyAgent] = {one.name: one for one in (lean, standard, durable, container)}
LIMITED: dict[str, AnyAgent] = {one.name: one for one in (limited, limited_container)}
