"""Ten thousand failed tasks: those of one type are redriven, killed half-way, and each once."""

from collections import Counter

import pytest
from memory_swarm import CrashedError, MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.bulk import Act, act_on_matching, count_matching
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.task_filter import TaskFilter

BROKEN = {"yes": True}
RAN = Counter()
ERRORS = (KeyError, ValueError, OSError)


@agent(max_attempts=1, batch=10)
async def shaky(n: int, *, ctx: TaskContext) -> int:
    async def paid() -> int:
        RAN["paid"] += 1
        return n

    value = await ctx.step("pay", paid)
    if BROKEN["yes"]:
        raise ERRORS[n % 3](n)
    RAN["through"] += 1
    return value


@pytest.mark.parametrize(
    "count", [300, pytest.param(10_000, marks=[pytest.mark.proof, pytest.mark.timeout(900)])]
)
async def test_one_type_is_redriven_each_once_though_it_is_killed_half_way(count):
    BROKEN["yes"] = True
    RAN.clear()
    memory = MemorySwarm(shaky)
    requests = [Request(arguments={"n": n}) for n in range(count)]
    ids = []
    for first in range(0, count, 2000):
        made = await submit(memory.connection, "shaky", requests[first : first + 2000])
        ids += [one.task_id for one in made]
        await memory.settle_down()
    assert RAN["paid"] == count
    BROKEN["yes"] = False
    wanted = TaskFilter(agent="shaky", error_type="KeyError")
    mine = (count + 2) // 3
    assert (await count_matching(memory.connection, Act.REDRIVE, wanted)).count == mine

    def redriving():
        return act_on_matching(memory.connection, Act.REDRIVE, wanted, from_step="end")

    memory.store.dies_after = mine // 2  # a step or a new record each
    with pytest.raises(ExceptionGroup) as crash:
        _ = [one async for one in redriving()]
    assert crash.group_contains(CrashedError)
    memory.store.dead = False
    left = (await count_matching(memory.connection, Act.REDRIVE, wanted)).count
    assert 0 < left < mine
    again = [one async for one in redriving()]
    assert (len(again), {one.error for one in again}) == (left, {None})
    assert [one async for one in redriving()] == []
    memory.clock.advance(seconds=3600)
    await memory.housekeep()  # the one that it was killed with was recorded, and not published
    await memory.settle_down()
    assert {"paid": count, "through": mine} == RAN
    made = Counter(item.get("redriven_from") for item in memory.store.items.values())
    del made[None]
    assert made == Counter(ids[::3])
