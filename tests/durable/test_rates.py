"""Rates hold however many workers run; ordered agents keep their order; both use no attempt."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_swarm import MemorySwarm

from sqswarm import Retry, TaskContext, agent
from sqswarm.schemas.agent_spec import Rate, Schedule
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol.rate_limit import reserve

STARTS: list[int] = []
HOUSE: list[MemorySwarm] = []


@agent(timeout=20, rate="5/minute", concurrency=10)
async def limited(n: int, *, ctx: TaskContext) -> int:
    STARTS.append(HOUSE[-1].clock.now_ms())
    if n < 0 and ctx.attempt == 1:
        raise Retry("again", after=1)
    return ctx.attempt


@agent(timeout=20, ordered=True, max_attempts=3)
async def orderly(key: str, n: int, *, ctx: TaskContext) -> int:
    STARTS.append(n)
    if n == 0 and ctx.attempt == 1:
        raise KeyError(n)
    return n


@agent(timeout=20, ordered=True)
async def pausing(*, ctx: TaskContext) -> str:
    await ctx.sleep(30)
    return "done"


@pytest.fixture
def memory():
    STARTS.clear()
    made = MemorySwarm(limited, orderly, pausing)
    HOUSE.append(made)
    return made


async def run_for(memory, *, seconds):
    for _ in range(seconds):
        await memory.settle_down()
        memory.clock.advance(seconds=1)


async def test_no_minute_sees_more_runs_than_the_rate(memory):
    ids = [await memory.submit(limited, n=n) for n in range(20)]
    await run_for(memory, seconds=300)
    assert len(STARTS) == 20
    for start in STARTS:
        assert sum(start <= other < start + 60_000 for other in STARTS) <= 5
    assert [(await memory.see(i)).result() for i in ids] == [1] * 20


async def test_a_task_waits_for_its_turn_once_and_in_order(memory):
    for n in range(12):
        await memory.submit(limited, n=n)
    await run_for(memory, seconds=200)
    assert memory.log.getvalue().count("turn.given") == 11
    assert max(STARTS) - min(STARTS) <= 11 * 12_000 + 2000


async def test_a_retry_takes_a_turn_of_its_own(memory):
    task_id = await memory.submit(limited, n=-1)
    await memory.submit(limited, n=1)
    await run_for(memory, seconds=60)
    assert (await memory.see(task_id)).result() == 2
    assert len(STARTS) == 3
    assert min(b - a for a, b in pairwise(STARTS)) >= 11_000


@given(
    count=st.integers(1, 200),
    per_s=st.sampled_from([1, 60, 3600]),
    arrivals=st.lists(st.integers(0, 20_000_000), max_size=80),
)
def test_no_window_of_any_rate_sees_more_than_its_count(count, per_s, arrivals):
    rate = Rate(count=count, per_s=per_s)
    bucket, starts = 0, []
    for now in sorted(arrivals):
        [start], bucket = reserve(bucket, now_us=now, slots=1, rate=rate)
        assert start >= now
        starts.append(start)
    assert starts == sorted(starts)
    window = per_s * 1_000_000
    for first, start in enumerate(starts):
        assert sum(other < start + window for other in starts[first:]) <= count


@pytest.mark.parametrize("rate", ["50", "0/minute", "5/fortnight", "-1/minute", "x/second", ""])
def test_a_rate_that_means_nothing_is_refused_when_it_is_declared(rate):
    with pytest.raises(InvalidAgent, match="rate="):
        agent(rate=rate)(plain)


@pytest.mark.parametrize(
    ("schedule", "ok"),
    [
        ("rate(5 minutes)", True),
        ("rate(1 hour)", True),
        ("cron(0 8 * * ? *)", True),
        (Schedule(expression="rate(2 days)", arguments={"n": 1}), True),
        ("rate(1 minutes)", False),
        ("rate(5 minute)", False),
        ("every day", False),
        ("cron(0 8 * *)", False),
    ],
)
def test_schedules_are_checked_when_they_are_declared(schedule, ok):
    if ok:
        assert len(agent(schedule=schedule)(plain).spec.schedules) == 1
    else:
        with pytest.raises(InvalidAgent, match="schedule"):
            agent(schedule=schedule)(plain)


async def plain(n: int) -> int:
    return n


class TestOrder:
    async def submit(self, memory, *pairs):
        return [
            await memory.submit(orderly, {"ordering_key": key}, key=key, n=n) for key, n in pairs
        ]

    async def test_a_failing_message_holds_up_its_own_key_only(self, memory):
        ids = await self.submit(memory, ("a", 0), ("b", 10), ("a", 1), ("b", 11), ("a", 2))
        await memory.work(orderly)
        assert STARTS == [0, 10, 11]
        await memory.settle_down()
        assert STARTS == [0, 10, 11]
        memory.clock.advance(seconds=4)
        await memory.settle_down()
        assert STARTS == [0, 10, 11, 0, 1, 2]
        assert {(await memory.see(i)).status for i in ids} == {Status.COMPLETED}

    async def test_an_ordered_task_that_waits_comes_back(self, memory):
        task_id = await memory.submit(pausing, {"ordering_key": "k"})
        await memory.settle_down()
        await memory.housekeep(minutes=2)
        assert (await memory.see(task_id)).result() == "done"
