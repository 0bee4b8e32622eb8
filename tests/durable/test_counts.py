"""The writes of each mode and each wait, counted (correctness.md, "Durability modes")."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.send import send


@agent(timeout=20, durability="lean")
async def lean(n: int) -> int:
    return n


@agent(timeout=20)
async def standard(n: int) -> int:
    return n


@agent(timeout=20, durability="durable")
async def solid(n: int) -> int:
    return n


@agent(timeout=20)
async def parent(*, ctx: TaskContext) -> int:
    return sum(await ctx.map("standard", [{"n": 1}, {"n": 2}]))


@agent(timeout=20)
async def asking(*, ctx: TaskContext) -> int:
    return await ctx.ask("n", "N?", int)


@agent(timeout=20)
async def receiving(*, ctx: TaskContext) -> int:
    await ctx.expose("waits")
    return await ctx.receive("n", int)


@agent(timeout=20)
async def sleeping(*, ctx: TaskContext) -> None:
    await ctx.sleep(3600)


@agent(timeout=20)
async def stepping(*, ctx: TaskContext) -> int:
    return await ctx.step("one", lambda: 1)


@agent(timeout=20)
async def undoable(how: str, *, ctx: TaskContext) -> int:
    one = await ctx.step("one", lambda: 1, undo=lambda one: None)
    if how == "fails":
        raise Fail("as told")
    return one


@agent(timeout=20)
async def failing(*, ctx: TaskContext) -> int:
    await ctx.step("one", lambda: 1)
    raise Fail("as told")


@pytest.fixture
def memory():
    agents = (lean, standard, solid, parent, asking, receiving, sleeping, stepping)
    return MemorySwarm(*agents, undoable, failing)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        pytest.param(lean, {"settle": 1}, id="lean-1"),
        pytest.param(standard, {"acquire": 1, "settle": 1}, id="standard-2"),
        pytest.param(solid, {"create": 1, "acquire": 1, "settle": 1}, id="durable-3"),
    ],
)
async def test_the_writes_of_a_mode(memory, one, expected):
    with memory.counting() as counts:
        await memory.submit(one, n=1)
        await memory.settle_down()
    assert counts == expected


async def test_a_durable_task_enters_and_leaves_the_sweep_index_once(memory):
    await memory.submit(solid, n=1)
    [item] = memory.kept.values()
    due = item["due_at"]
    await memory.work(solid)
    [item] = memory.kept.values()
    assert due
    assert "due_at" not in item


async def test_the_writes_of_a_join(memory):
    await memory.submit(parent)
    with memory.counting() as counts:
        await memory.work(parent)
        await memory.work(standard, limit=1)
        await memory.work(standard, limit=1)
        await memory.work(parent)
    assert counts == {
        "acquire": 1 + 2 + 1,  # the parent, its children, the parent again
        "plan": 1,
        "create": 2,
        "settle": 2 + 1,
        "count": 2,
        "clear due": 2,  # each child owed its parent a count
        "fire": 1,
    }


async def test_children_that_end_in_one_batch_are_counted_in_one_write(memory):
    await memory.submit(parent)
    with memory.counting() as counts:
        await memory.settle_down()
    assert counts["count"] == 1


async def test_the_writes_of_a_question(memory):
    task_id = await memory.submit(asking)
    with memory.counting() as counts:
        await memory.settle_down()
        await answer(memory.connection, task_id, "n", 1)
        await memory.settle_down()
    assert counts == {"acquire": 2, "ask": 1, "answer": 1, "settle": 1}


async def test_the_writes_of_a_signal_and_of_what_is_shown(memory):
    task_id = await memory.submit(receiving)
    with memory.counting() as counts:
        await memory.settle_down()
        await send(memory.connection, task_id, "n", 1)
        await memory.settle_down()
    assert counts == {"acquire": 2, "receive": 1, "answer": 1, "expose": 1, "settle": 1}


async def test_the_writes_of_a_sleep(memory):
    await memory.submit(sleeping)
    with memory.counting() as counts:
        await memory.settle_down()
        await memory.housekeep(minutes=61)
    assert counts == {"acquire": 2, "sleep": 1, "wake": 1, "settle": 1}


async def test_the_writes_of_a_step(memory):
    await memory.submit(stepping)
    with memory.counting() as counts:
        await memory.settle_down()
    assert counts == {"acquire": 1, "transaction": 1, "settle": 1}


async def test_a_task_with_nothing_to_undo_writes_no_more_to_fail(memory):
    await memory.submit(failing)
    with memory.counting() as counts:
        await memory.settle_down()
    assert counts == {"acquire": 1, "transaction": 1, "settle": 1}


async def test_an_undo_that_is_not_needed_costs_nothing(memory):
    await memory.submit(undoable, how="completes")
    with memory.counting() as counts:
        await memory.settle_down()
    assert counts == {"acquire": 1, "transaction": 1, "settle": 1}


async def test_the_writes_of_an_undo(memory):
    """One to begin it, an attempt more (by an old message), a transaction for each step undone."""
    await memory.submit(undoable, how="fails")
    with memory.counting() as counts:
        await memory.settle_down()
    assert counts == {
        "acquire": 2,
        "refused acquire": 1,
        "begin undo": 1,
        "transaction": 2,
        "settle": 1,
    }
