"""ctx.patched: what had passed a place before it was changed goes by the old branch, for ever."""

from __future__ import annotations

import asyncio

import pytest

from sqswarm import TaskContext, agent
from sqswarm.schemas.errors import TaskFailed
from sqswarm.testing import Failure, MemorySwarm, export_journal, kill_everywhere, replay

HOUR = 3600


def do(what: str) -> str:
    return what


@agent(name="work", calls=[])
async def before(*, ctx: TaskContext) -> str:
    a = await ctx.step("a", do, "a")
    await ctx.sleep(HOUR)
    b = await ctx.step("b", do, "b")
    await ctx.sleep(HOUR)
    return a + b


@agent(name="work", calls=[])
async def after(*, ctx: TaskContext) -> str:
    said = await ctx.step("a", do, "a")
    if ctx.patched("new"):
        said += await ctx.step("new", do, "N")
    await ctx.sleep(HOUR)
    said += await ctx.step("b", do, "b")
    if ctx.patched("late"):
        said += await ctx.ask("late", "Late?", str)
    await ctx.sleep(HOUR)
    if ctx.patched("new"):  # as it was answered first
        said += "!"
    return said


@agent(name="work", calls=[])
async def later(*, ctx: TaskContext) -> str:
    """The old branch of `new` is taken out: what went by it does not fit."""
    said = await ctx.step("a", do, "a")
    said += await ctx.step("new", do, "N")
    await ctx.sleep(HOUR)
    return said + await ctx.step("b", do, "b")


def test_old_tasks_take_the_old_branch_and_new_ones_the_new():
    with MemorySwarm(before) as memory:
        passed_both, passed_one = memory.submit("work"), memory.submit("work")
        memory.run(minutes=90)
        young = memory.submit("work")
        memory.run(minutes=10)
        memory.deploy(after)
        new = memory.submit("work")
        assert passed_both.result() == passed_one.result() == "ab"
        memory.run(hours=3)
        young.answer("late", "L")
        new.answer("late", "L")
        assert young.result() == "abL"
        assert new.result() == "aNbL!"


def test_going_back_parks_what_went_by_the_new_branch_alone():
    with MemorySwarm(after) as memory:
        task = memory.submit("work")
        memory.run(minutes=1)
        memory.deploy(before)
        memory.run(hours=2)
        assert "'step new#0' is recorded" in memory.get(task.id).record.parked_now["why"]
        memory.deploy(after)
        memory.run(hours=2)
        task.answer("late", "L")
        assert task.result() == "aNbL!"


def test_the_old_branch_is_taken_out_once_nothing_needs_it():
    with MemorySwarm(before) as memory:
        old = memory.submit("work")
        memory.run(minutes=1)
        memory.deploy(after)
        new = memory.submit("work")
        memory.run(minutes=1)
        memory.deploy(later)
        memory.run(hours=2)
        assert memory.get(old.id).record.parked_now
        assert new.result() == "aNb"


@pytest.mark.parametrize("first", [before, after], ids=["began before", "began after"])
def test_a_kill_at_any_moment_changes_no_branch(first):
    def story(memory):
        memory.deploy(first)
        task = memory.submit("work")
        memory.run(minutes=10)
        memory.deploy(after)
        memory.run(hours=2)
        if memory.get(task.id).record.asks:
            task.answer("late", "L")
        return task.result()

    assert kill_everywhere(story, before) == ("abL" if first is before else "aNbL!")


def test_a_retry_that_has_read_nothing_yet_reads_before_it_answers():
    asked = []

    @agent(max_attempts=3)
    async def first_of_all(*, ctx: TaskContext) -> str:
        asked.append(ctx.patched("x"))
        return await ctx.step("charge", do, "c") + str(ctx.patched("x"))

    with MemorySwarm(first_of_all, faults=[Failure(after="charge", times=1)]) as memory:
        task = memory.submit(first_of_all)
        assert task.result() == "cTrue"
    assert asked == [True, True]


def test_side_by_side_it_is_one_answer():
    @agent
    async def beside(*, ctx: TaskContext) -> list[bool]:
        async def branch(seconds: int) -> bool:
            await ctx.sleep(seconds)
            return ctx.patched("x")

        return list(await asyncio.gather(branch(HOUR), branch(2 * HOUR)))

    with MemorySwarm(beside) as memory:
        first, second = memory.submit(beside).result()
        assert first is second


def test_a_replayed_journal_takes_the_branch_that_its_task_takes():
    with MemorySwarm(after) as memory:
        task = memory.submit("work")
        memory.run(minutes=1)
        journal = export_journal(memory, task.id)
        assert replay(journal, after).waits
    with MemorySwarm(before) as memory:
        task = memory.submit("work")
        memory.run(minutes=1)
        assert replay(export_journal(memory, task.id), after).waits


def test_a_lean_task_and_a_plain_function_take_the_new_branch():
    @agent(durability="lean")
    async def lean(*, ctx: TaskContext) -> bool:
        return ctx.patched("x")

    @agent
    def plain(*, ctx: TaskContext) -> bool:
        return ctx.patched("x")

    with MemorySwarm(lean, plain) as memory:
        assert memory.submit(lean).result() is True
        assert memory.submit(plain).result() is True


def test_a_name_is_one():
    @agent
    async def odd(*, ctx: TaskContext) -> bool:
        return ctx.patched("")

    with MemorySwarm(odd) as memory, pytest.raises(TaskFailed, match="InvalidPatch"):
        memory.submit(odd).result()
