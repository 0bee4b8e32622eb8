"""Which journals a deployment replays: of every agent some, however little time there is."""

import time

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.infra.deployment.replay_check import sample
from sqswarm.schemas.task import TaskRecord

LONG_S = 86_400


@agent(durability="durable")
async def first(*, ctx: TaskContext) -> None:
    await ctx.sleep(LONG_S)


@agent(durability="durable")
async def second(*, ctx: TaskContext) -> None:
    await ctx.sleep(LONG_S)


@pytest.mark.parametrize(("left_s", "each"), [(60, 10), (0, 2)], ids=["enough", "none"])
async def test_the_newest_and_the_oldest_of_every_agent_are_taken(left_s, each):
    memory = MemorySwarm(first, second)
    ids = {"first": [], "second": []}
    for _ in range(12):
        for one in (first, second):
            ids[one.name].append(await memory.submit(one))
            await memory.work(one)
        memory.clock.advance(seconds=1)
    journals = await sample(memory.connection, until_s=time.monotonic() + left_s)
    taken = [TaskRecord.from_item(one["task"]) for one in journals]
    half = each // 2
    for name, some in ids.items():
        assert {one.task_id for one in taken if one.agent == name} == {*some[:half], *some[-half:]}
