"""A redrive that dies anywhere is finished by a repeat or by housekeeping, as one task."""

from __future__ import annotations

from collections import Counter
from functools import wraps

import pytest
from memory_swarm import CrashedError, MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.lifecycle import Status

DONE: list[str] = []
BROKEN = {"yes": True}


def do(what):
    DONE.append(what)
    return what


@agent(max_attempts=1)
async def part(n: int) -> int:
    DONE.append(f"part {n}")
    return n


@agent(calls=["part"], max_attempts=1)
async def report(*, ctx: TaskContext) -> str:
    said = [await ctx.step(name, do, name) for name in ("a", "b")]
    said.append(await ctx.step("large", lambda: "x" * 150_000))
    said += map(str, await ctx.gather(*(ctx.task("part", n=n) for n in range(2))))
    if BROKEN["yes"]:
        raise KeyError("outside of a step")
    return "".join([*said[:2], said[2][:1], *said[3:]])


@pytest.fixture
def memory():
    DONE.clear()
    BROKEN["yes"] = True
    return MemorySwarm(report, part)


async def failed(memory):
    old = await memory.submit(report)
    await memory.settle_down()
    assert (await memory.record(old)).status is Status.FAILED
    DONE.clear()
    BROKEN["yes"] = False
    return old


def redriven(memory, old):
    return [item for item in memory.store.items.values() if item.get("redriven_from") == old]


WRITES = 4
"""Three steps, and the transaction of the new record and the link."""


@pytest.mark.parametrize("after", range(1, WRITES + 1))
async def test_killed_after_any_write_a_repeat_finishes_it(memory, after):
    old = await failed(memory)
    memory.store.dies_after = after
    with pytest.raises(CrashedError):
        await redrive(memory.connection, old, from_step="end")
    memory.store.dead = False
    await memory.settle_down()
    assert DONE == []  # nobody runs a task whose redrive has published nothing
    new = await redrive(memory.connection, old, from_step="end")
    await memory.settle_down()
    assert (await memory.see(new.task_id)).result() == "abx01"
    assert [len(redriven(memory, old)), *DONE] == [1]


async def test_killed_before_its_publish_housekeeping_publishes_it(memory):
    old = await failed(memory)
    memory.bus.crash_at_publish = 1
    with pytest.raises(CrashedError):
        await redrive(memory.connection, old, from_step="end")
    memory.clock.advance(seconds=3600)
    await memory.housekeep()
    await memory.settle_down()
    new = (await memory.record(old)).redriven_as
    assert (await memory.see(new)).result() == "abx01"
    assert DONE == []


async def test_broken_off_and_tried_otherwise_it_finds_nothing_of_the_first_try(memory):
    old = await failed(memory)
    memory.store.dies_after = 2
    with pytest.raises(CrashedError):
        await redrive(memory.connection, old, from_step="end")
    memory.store.dead = False
    new = await redrive(memory.connection, old, from_step="b")
    await memory.settle_down()
    assert (await memory.see(new.task_id)).result() == "abx01"
    assert DONE == ["b", "part 0", "part 1"]


async def test_of_two_that_redrive_it_otherwise_at_the_same_time_one_is_refused(memory):
    old = await failed(memory)
    transact, other = memory.store.transact, []

    async def late(writes):
        if not other:
            other.append(None)
            other.append(await redrive(memory.connection, old, from_step="b"))
        return await transact(writes)

    memory.store.transact = late
    with pytest.raises(UsageError, match="was redriven before, from 'b'"):
        await redrive(memory.connection, old, from_step="end")
    await memory.settle_down()
    assert [len(redriven(memory, old)), *DONE] == [1, "b", "part 0", "part 1"]


async def test_a_parked_task_is_redriven_from_a_step(memory):
    @agent(name="report", calls=["part"], max_attempts=1)
    async def other(*, ctx: TaskContext) -> str:
        await ctx.step("a", do, "a")
        await ctx.step("c", do, "c")
        return "new"

    old = await memory.submit(report)
    await memory.work(report)
    memory.deploy(other, part)
    await memory.settle_down()
    assert (await memory.record(old)).parked_now is not None
    with pytest.raises(UsageError, match="has recorded no 'c'"):
        await redrive(memory.connection, old, from_step="c")
    assert (await memory.record(old)).parked_now is not None
    DONE.clear()
    new = await redrive(memory.connection, old, from_step="b")
    await memory.settle_down()
    assert (await memory.see(new.task_id)).result() == "new"
    assert DONE == ["c"]
    assert (await memory.record(old)).status is Status.CANCELLED


async def counted(memory, work):
    """Count what of AWS is called by `work`: one for each request, as the adapters make them."""
    calls, depth = Counter(), []
    ports = {
        memory.store: ("read", "read_many", "read_group", "write", "write_each", "transact"),
        memory.bus: ("publish", "send"),
        memory.blobs: ("get", "put"),
    }
    for port, names in ports.items():
        for name in names:
            setattr(port, name, _counting(getattr(port, name), name, calls, depth))
    await work
    return {name: number for name, number in calls.items() if number}


def _counting(call, name, calls, depth):
    @wraps(call)
    async def counting(*given, **more):
        calls[name] += not depth
        depth.append(name)
        try:
            return await call(*given, **more)
        finally:
            depth.pop()

    return counting


async def test_the_calls_of_a_redrive_are_these(memory):
    old = await failed(memory)
    calls = await counted(memory, redrive(memory.connection, old, agent="report"))
    # Before: two writes, one after the other, where a transaction stands now.
    assert calls == {"read": 1, "transact": 1, "publish": 1}


async def test_the_calls_of_a_redrive_from_a_step_are_these(memory):
    old = await failed(memory)
    work = redrive(memory.connection, old, agent="report", from_step="end")
    assert await counted(memory, work) == {
        "read": 1,
        "read_group": 1,  # steps
        "read_many": 1,  # children, a hundred a request
        "get": 1,  # of each large outcome
        "put": 1,
        "write_each": 1,  # steps, 25 a request
        "transact": 1,
        "publish": 1,
    }
