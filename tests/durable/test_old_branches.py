"""Whether a patch may go: which tasks under way may still need its old branch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sqswarm import TaskContext, agent
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.old_branches import old_branches
from sqswarm.infra.patches import find_patches
from sqswarm.testing import MemorySwarm

NAME = "by a global"


def do(what: str) -> str:
    return what


@agent(name="work", calls=[])
async def before(*, ctx: TaskContext) -> str:
    await ctx.step("a", do, "a")
    await ctx.sleep(86_400)
    return "old"


@agent(name="work", calls=[])
async def after(*, ctx: TaskContext) -> str:
    await ctx.step("a", do, "a")
    if ctx.patched("early"):
        await ctx.step("new", do, "N")
    await ctx.sleep(86_400)
    return "new" if ctx.patched("late") else "old"


def told(memory):
    connection = memory._swarm._connection
    connection = replace(connection, catalogue=memory.stage.catalogue)
    found = run_straight(old_branches(connection)).get("work", ())
    return {one.patch: one for one in found}


def test_a_patch_may_go_once_no_task_began_before_it():
    with MemorySwarm(before) as memory:
        assert told(memory) == {}
        old = [memory.submit("work") for _ in range(3)]
        memory.run(minutes=1)
        memory.deploy(after)
        memory.run(hours=1)
        new = memory.submit("work")
        memory.run(minutes=1)
        early = told(memory)["early"]
        assert (early.tasks, early.more, early.may_go) == (3, False, False)
        assert early.oldest_ms == memory.get(old[0].id).record.created_ms
        assert str(early).startswith("patch early: 3 tasks may still take the old branch")
        old[0].cancel()
        assert told(memory)["early"].tasks == 2
        memory.run(hours=24)
        assert [one.result() for one in old[1:]] == ["new", "new"]
        memory.deploy(after)  # another deployment does not make the patch younger
        new.result()
        assert told(memory)["early"].may_go
        assert "may go" in str(told(memory)["early"])


def test_who_went_by_the_new_branch_is_not_counted_though_it_began_with_the_patch():
    with MemorySwarm(after) as memory:
        task = memory.submit("work")  # within the time in which old workers may begin tasks
        memory.run(minutes=1)
        assert told(memory)["early"].tasks == 0
        assert told(memory)["late"].tasks == 1  # it has not come there, and nobody knows
        task.cancel()
        assert told(memory)["late"].may_go


def test_a_task_that_waits_keeps_its_patch_in_its_record():
    @agent(name="work", calls=[])
    async def naps(*, ctx: TaskContext) -> bool:
        new = ctx.patched("at once")
        await ctx.sleep(3600)
        return new

    with MemorySwarm(naps) as memory:
        memory.submit("work")
        memory.run(minutes=1)
        assert told(memory)["at once"].may_go


@pytest.mark.parametrize(("how", "late"), [({}, 0), ({"from_step": "new"}, 1)])
def test_a_task_redriven_from_a_step_has_an_older_ones_journal(how, late):
    with MemorySwarm(after) as memory:
        old = memory.submit("work")
        memory.run(minutes=1)
        memory.run(hours=1)
        old.cancel()
        memory.redrive(old.id, **how)
        memory.run(minutes=1)
        assert (told(memory)["early"].tasks, told(memory)["late"].tasks) == (0, late)


def test_a_patch_taken_out_and_put_back_counts_from_then():
    with MemorySwarm(after) as memory:
        memory.run(hours=2)
        first = told(memory)["early"].since_ms
        memory.deploy(before)
        assert told(memory) == {}
        memory.run(hours=2)
        memory.deploy(after)
        assert told(memory)["early"].since_ms >= first + 2 * 3_600_000


async def helper(ctx: TaskContext) -> bool:
    return ctx.patched("in a helper")


@agent(calls=[])
async def many(*, ctx: TaskContext) -> bool:
    if ctx.patched(NAME) and await helper(ctx):
        return ctx.patched("literal")
    return ctx.patched(str(ctx.attempt))


@pytest.mark.parametrize(
    ("one", "names"),
    [(before, ()), (after, ("early", "late")), (many, (NAME, "in a helper", "literal"))],
)
def test_the_names_are_found_in_the_code(one, names):
    assert find_patches(one) == names


def test_code_that_calls_what_is_bound_later_is_read_too():
    @agent(name="mutual", calls=[])
    async def mutual(*, ctx: TaskContext) -> bool:
        return ctx.patched("found") and later is None

    assert find_patches(mutual) == ("found",)
    later = None
