"""The one wait loop: until when, how often, and what happens meanwhile."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from memory_swarm import MemorySwarm

from sqswarm import AsyncSwarm, TaskContext, agent
from sqswarm.dispatcher.follow import Follower, follow_task
from sqswarm.schemas.errors import TaskNotFound, TimedOut
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.lifecycle import Status


@agent(durability="durable")
async def approval(*, ctx: TaskContext) -> bool:
    return await ctx.ask("sure", "Are you sure?", bool)


@agent
def double(number: int) -> int:
    return 2 * number


@pytest.fixture
def memory():
    return MemorySwarm(approval, double)


async def test_a_task_is_followed_until_it_asks(memory):
    task_id = await memory.submit(approval)
    seen = []

    async def meanwhile(record):
        seen.append(record.attempt)
        if len(seen) == 3:
            await memory.work(approval)

    deadline_ms = memory.clock.now_ms() + 60_000
    record = await follow_task(
        memory.connection, task_id, deadline_ms=deadline_ms, meanwhile=meanwhile
    )
    assert record.status is Status.INPUT_REQUIRED
    assert len(seen) == 3


async def test_looks_grow_seldom_and_the_deadline_returns_the_task_as_it_stands(memory):
    task_id = await memory.submit(approval)
    looks = []

    async def meanwhile(_record):
        looks.append(memory.clock.now_ms())

    deadline_ms = memory.clock.now_ms() + 10_000
    record = await follow_task(
        memory.connection, task_id, deadline_ms=deadline_ms, meanwhile=meanwhile
    )
    assert record.status is Status.WORKING
    assert memory.clock.now_ms() == deadline_ms
    pauses = [after - before for before, after in pairwise(looks)]
    assert pauses[0] == 15
    assert pauses[:-1] == sorted(pauses[:-1])
    for looked, pause in zip(looks, pauses, strict=False):
        assert pause <= 20 + 0.1 * (looked - looks[0])


_LOOKS = re.compile(r"\| read units of `result\(\)` .*\n\|[-| ]+\n\| (.*) \|")


async def test_what_waiting_costs_is_what_the_guide_says(memory):
    page = Path(__file__).parents[2] / "docs/howto/pay_less.md"
    said = [int(number) for number in _LOOKS.search(page.read_text()).group(1).split(" | ")]
    made = []
    for seconds in (0.1, 1, 10, 60):
        looks = 0

        async def meanwhile(_record):
            nonlocal looks
            looks += 1

        await follow_task(
            memory.connection,
            await memory.submit(approval),
            deadline_ms=memory.clock.now_ms() + round(1000 * seconds),
            meanwhile=meanwhile,
        )
        made.append(looks + 1)
    assert said == made


async def test_a_task_that_never_was_is_not_found(memory):
    task_id = new_task_id(0, memory.clock.random_bits)
    with pytest.raises(TaskNotFound):
        await follow_task(memory.connection, task_id, deadline_ms=0, meanwhile=print)


async def test_waiting_for_the_end_ends_with_the_time_and_may_be_taken_up_again(memory):
    task_id = await memory.submit(double, number=2, _request={"durable": True})
    follower = Follower(memory.connection, timeout_s=10)
    follower.add([task_id])
    started = memory.clock.now_ms()
    with pytest.raises(TimedOut, match=task_id):
        await follower.ended()
    assert memory.clock.now_ms() - started == 10_000
    assert follower.waiting == [task_id]
    await memory.work(double)
    assert [view.result() for view in await follower.ended()] == [4]


async def test_a_client_takes_agents_as_themselves_and_tells_errors_of_its_tasks(memory):
    swarm = AsyncSwarm(memory.connection)
    task = await swarm.submit(double, number=21)
    assert (task.agent, await task.error()) == ("double", None)
    await memory.work(double)
    assert await task.result(timeout=1) == 42
    await (other := await swarm.submit(double, number=1, durable=True)).cancel()
    assert "was cancelled" in str(await other.error())
    assert [view.id for view in await swarm.list(agent=double, status="cancelled")] == [other.id]
    await swarm.close()
