"""Bulk: all tasks that match are counted, redriven or cancelled, once, and a repeat goes on."""

import asyncio
from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.bulk import Act, act_on_matching, count_matching
from sqswarm.dispatcher.client import Swarm
from sqswarm.dispatcher.failure_groups import group_failures
from sqswarm.dispatcher.lifecycle.dead_letters import peek
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task_filter import TaskFilter

BROKEN = {"yes": True}


@agent(timeout=20, max_attempts=1)
async def shaky(n: int) -> int:
    if BROKEN["yes"]:
        raise (KeyError if n % 2 else ValueError)(n)
    return n


@agent(timeout=20, max_attempts=1)
async def solid(n: int) -> int:
    if BROKEN["yes"]:
        raise KeyError(n)
    return n


@agent(timeout=20, durability="durable")
async def asking(*, ctx: TaskContext) -> int:
    return await ctx.ask("n", "N?", int)


@pytest.fixture
def memory():
    BROKEN["yes"] = True
    return MemorySwarm(shaky, solid, asking)


async def fail(memory, count, one=shaky):
    ids = []
    for n in range(count):
        memory.clock.advance(seconds=1)
        ids.append(await memory.submit(one, n=n))
    await memory.settle_down()
    return ids


async def redriven(memory, wanted, **bounds):
    acts = act_on_matching(memory.connection, Act.REDRIVE, wanted, **bounds)
    return [one async for one in acts]


async def test_failed_tasks_are_counted_by_agent_and_error_before_anything_begins(memory):
    await fail(memory, 5)
    await fail(memory, 2, solid)
    counted = await count_matching(memory.connection, Act.REDRIVE, TaskFilter())
    assert (counted.count, counted.more, counted.done) == (7, False, 0)
    assert counted.by_agent == {"shaky": 5, "solid": 2}
    assert counted.by_error_type == {"KeyError": 4, "ValueError": 3}
    few = await count_matching(memory.connection, Act.REDRIVE, TaskFilter(), limit=3)
    assert (few.count, few.more) == (3, True)


async def test_failures_are_grouped_by_agent_and_error_with_the_newest_left_as_example(memory):
    ids = await fail(memory, 5)
    await fail(memory, 1, solid)
    await redriven(memory, TaskFilter(agent="shaky", error_type="ValueError"), limit=1)
    groups = await group_failures(memory.connection, TaskFilter())
    assert [(g.agent, g.error_type, g.count, g.redriven) for g in groups] == [
        ("shaky", "KeyError", 2, 0),
        ("shaky", "ValueError", 3, 1),
        ("solid", "KeyError", 1, 0),
    ]
    assert groups[0].example.id in {ids[1], ids[3]}
    assert groups[1].example.record.redriven_as is None
    assert groups[0].to_json()["example"]["error"]["data"]["type"] == "KeyError"
    assert (await group_failures(memory.connection, TaskFilter(), limit=2)).more


async def test_all_failed_tasks_that_match_run_again_and_their_letters_go(memory):
    ids = await fail(memory, 31)
    await fail(memory, 2, solid)
    BROKEN["yes"] = False
    told = await redriven(memory, TaskFilter(agent="shaky", error_type="KeyError"))
    assert {one.task_id for one in told} == set(ids[1::2])
    await memory.settle_down()
    for one in told:
        assert (await memory.see(one.new)).status is Status.COMPLETED
    left = await peek(memory.connection, "shaky", limit=100)
    assert {letter.task_id for letter in left} == set(ids[::2])
    assert len(await peek(memory.connection, "solid", limit=100)) == 2


async def test_one_that_is_broken_off_goes_on_where_it_stopped(memory):
    ids = await fail(memory, 25)
    BROKEN["yes"] = False
    acts = act_on_matching(memory.connection, Act.REDRIVE, TaskFilter())
    await anext(acts)
    await acts.aclose()
    counted = await count_matching(memory.connection, Act.REDRIVE, TaskFilter())
    assert (counted.count, counted.done) == (15, 10)
    assert len(await redriven(memory, TaskFilter())) == 15
    await memory.settle_down()
    links = {(await memory.record(task_id)).redriven_as for task_id in ids}
    assert len(links) == 25
    assert None not in links
    assert await redriven(memory, TaskFilter()) == []
    assert await peek(memory.connection, "shaky", limit=100) == []


async def test_tasks_that_fail_again_meanwhile_are_not_redriven_by_the_same_act(memory):
    await fail(memory, 12)
    told = []
    async for one in act_on_matching(memory.connection, Act.REDRIVE, TaskFilter()):
        memory.clock.advance(seconds=1)
        await memory.settle_down()
        told.append(one)
    assert len(told) == 12


async def test_a_rate_and_a_limit_bound_it(memory):
    await fail(memory, 30)
    start = memory.clock.now_ms()
    assert len(await redriven(memory, TaskFilter(), limit=20, rate_per_s=40)) == 20
    assert memory.clock.now_ms() - start == 500
    assert (await count_matching(memory.connection, Act.REDRIVE, TaskFilter())).count == 10


async def test_since_and_until_bound_what_is_meant(memory):
    ids = []
    for _ in range(3):
        ids += await fail(memory, 1)
    ended = [(await memory.record(task_id)).updated_ms for task_id in ids]
    [one] = await redriven(memory, TaskFilter(since_ms=ended[1], until_ms=ended[1]))
    assert one.task_id == ids[1]


async def test_all_that_has_not_ended_is_cancelled(memory):
    asked = [await memory.submit(asking) for _ in range(12)]
    await memory.settle_down()
    waiting = [await memory.submit(asking) for _ in range(3)]
    counted = await count_matching(memory.connection, Act.CANCEL, TaskFilter(agent="asking"))
    assert counted.count == 15
    wanted = TaskFilter(agent="asking", status=Status.INPUT_REQUIRED)
    told = [one async for one in act_on_matching(memory.connection, Act.CANCEL, wanted)]
    assert {one.task_id for one in told} == set(asked)
    assert {one.status for one in told} == {Status.CANCELLED}
    told = [one async for one in act_on_matching(memory.connection, Act.CANCEL, TaskFilter())]
    assert {one.task_id for one in told} == set(waiting)


async def test_a_task_that_cannot_be_redriven_says_why_and_harms_no_other(memory):
    task_id = await memory.submit(shaky, n=0)
    handle = memory.connection
    from sqswarm.dispatcher.lifecycle.cancel import cancel

    await cancel(handle, task_id, agent="shaky")  # a tombstone: it never left its arguments
    other = await memory.submit(asking)
    await cancel(handle, other)
    told = await redriven(memory, TaskFilter(status=Status.CANCELLED))
    by_id = {one.task_id: one for one in told}
    assert "before it left its arguments" in str(by_id[task_id].error)
    assert by_id[other].new is not None


@pytest.mark.parametrize(
    ("act", "status"),
    [(Act.REDRIVE, Status.WORKING), (Act.CANCEL, Status.FAILED)],
)
async def test_a_status_that_an_act_is_not_for_is_refused(memory, act, status):
    with pytest.raises(UsageError, match=f"no {status.value} task can be"):
        await count_matching(memory.connection, act, TaskFilter(status=status))


def test_the_blocking_client_does_it_without_an_event_loop(memory):
    asyncio.run(fail(memory, 25))
    BROKEN["yes"] = False
    runner = BlockingRunner()
    with Swarm(replace(memory.connection, runner=runner), runner) as swarm:
        assert swarm.count_matching("redrive", agent="shaky").count == 25
        assert len(list(swarm.redrive_matching(error_type="ValueError"))) == 13
        acts = list(swarm.cancel_matching(agent=shaky))
        assert {one.status for one in acts} == {Status.CANCELLED}
        assert len(acts) == 13
