"""Redrive from a step: children, questions and steps that were waited for together."""

from __future__ import annotations

import asyncio

import pytest
from redrive_parts import BROKEN, DONE, as_new, do, part, write

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.lifecycle.recorded_outcomes import FROM_END
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing import MemorySwarm


@pytest.fixture(autouse=True)
def _fresh():
    as_new()


@pytest.fixture
def memory():
    with MemorySwarm([part, gathering, joint, plain, side, slow, over]) as memory:
        yield memory


@agent(calls=["part"], max_attempts=1)
async def gathering(count: int, *, ctx: TaskContext) -> list:
    await ctx.step("plan", do, "plan")
    return await ctx.gather(*(ctx.task("part", n=n) for n in range(count)))


@pytest.mark.parametrize("name", [FROM_END, "part#2"])
def test_of_children_that_were_waited_for_together_those_that_failed_run_again(memory, name):
    BROKEN["part"] = {1}
    old = memory.submit("gathering", count=4)
    memory.run()
    assert old.status() is Status.FAILED
    DONE.clear()
    BROKEN["part"] = set()
    new = memory.redrive(old.id, from_step=name)
    memory.run()
    assert new.result() == [0, 1, 2, 3]
    assert DONE == ["part 1"]


def test_children_of_a_wide_wait_are_reused_from_a_plan_in_s3(memory):
    BROKEN["part"] = {77}
    old = memory.submit("gathering", count=120)
    memory.run()
    DONE.clear()
    BROKEN["part"] = set()
    new = memory.redrive(old.id, from_step=FROM_END)
    memory.run()
    assert new.result() == list(range(120))
    assert DONE == ["part 77"]
    reused = memory.get(old.id).record
    assert (reused.redriven_as, len(reused.waits) < 300) == (new.id, True)


@agent(max_attempts=1)
async def slow(n: int, *, ctx: TaskContext) -> int:
    DONE.append(f"slow {n}")
    await ctx.sleep(60 * n)
    return n


@agent(calls=["slow"], max_attempts=1)
async def over(*, ctx: TaskContext) -> list:
    return await ctx.gather(*(ctx.task("slow", n=n) for n in range(3)))


def test_a_cancelled_parents_children_that_completed_are_reused(memory):
    old = memory.submit("over")
    memory.run(seconds=90)
    old.cancel()
    memory.run()
    DONE.clear()
    new = memory.redrive(old.id, from_step=FROM_END)
    memory.run()
    assert new.result() == [0, 1, 2]
    assert {*DONE} == {"slow 2"}


@agent(calls=["part"], max_attempts=1)
async def joint(*, ctx: TaskContext) -> list:
    first = await ctx.step("first", do, "first")
    both = await ctx.gather(ctx.task("part", n=7), ctx.ask("size", "How large?", int))
    said = await ctx.step("write", write, "it")
    return [first, *both, said]


def test_what_was_waited_for_together_comes_after_the_step_before_it(memory):
    old = memory.submit("joint")
    memory.run()
    old.answer("size", 5)
    memory.run()
    assert old.status() is Status.FAILED
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step="first")
    memory.run()
    new.answer("size", 6)
    memory.run()
    assert new.result() == ["first", 7, 6, "wrote it"]
    assert DONE == ["first", "part 7", "write"]


@agent(max_attempts=1)
async def side(*, ctx: TaskContext) -> list:
    async def slowly(what):
        await asyncio.sleep(0.05)
        return do(what)

    names = ("a", "b", "c")
    return [
        *(await asyncio.gather(*(ctx.step(name, slowly, name) for name in names))),
        await ctx.step("write", write, "it"),
    ]


def test_what_ran_beside_the_named_step_is_kept(memory):
    old = memory.submit("side")
    memory.run()
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step="b")
    memory.run()
    assert new.result() == ["a", "b", "c", "wrote it"]
    assert DONE == ["b", "write"]


@agent(max_attempts=1)
async def plain(*, ctx: TaskContext) -> str:
    large = await ctx.step("large", lambda: "x" * 200_000)
    DONE.append("ran")
    if BROKEN["write"]:
        raise KeyError("outside of a step")
    return large[:3]


def test_large_outcomes_are_copied_under_the_new_tasks_own_key(memory):
    old = memory.submit("plain")
    memory.run()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step=FROM_END)
    memory.run()
    assert new.result() == "xxx"
    mine = [one for one in memory.stage.blobs.objects if new.id in one]
    assert len(mine) == 1
    assert mine[0].startswith("s3://memory/payloads/plain/")
