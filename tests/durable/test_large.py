"""The largest that a task may be: many steps and children, a long journal, a year of waiting."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.schemas.errors import TaskFailed
from sqswarm.schemas.journal import SLEEP_LIMIT_S, WIDTH_LIMIT
from sqswarm.schemas.payload import PAYLOAD_DAYS
from sqswarm.schemas.settings import Settings

RUNS: list[str] = []
DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def _fresh():
    RUNS.clear()


@agent(timeout=60, durability="durable")
async def long(steps: int, size: int, sleep_s: float = 0.0, *, ctx: TaskContext) -> int:
    """Do many steps, wait, and add up what they have recorded."""

    async def part(number: int) -> str:
        RUNS.append(f"part{number}")
        return "x" * size

    parts = [await ctx.step(f"part{number}", part, number) for number in range(steps)]
    await ctx.sleep(sleep_s)
    return sum(map(len, parts))


@agent(timeout=5, durability="durable")
async def one(number: int) -> int:
    return number


@agent(timeout=60, durability="durable")
async def wide(width: int, *, ctx: TaskContext) -> int:
    return sum(await ctx.map("one", [{"number": n} for n in range(width)]))


@pytest.fixture
def memory():
    return MemorySwarm(long, one, wide)


async def result(memory, one, **arguments):
    task_id = await memory.submit(one, **arguments)
    await memory.settle_down()
    if sleep_s := arguments.get("sleep_s"):
        memory.clock.advance(seconds=sleep_s)
        await memory.housekeep()
    return (await memory.see(task_id)).result()


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        pytest.param(1000, 1, id="1000-steps"),
        pytest.param(40, 10 * 1024, id="400-kb-of-journal"),
        pytest.param(4, 400 * 1024, id="steps-too-large-for-the-table"),
    ],
)
async def test_a_long_journal_is_replayed_and_nothing_of_it_runs_again(memory, steps, size):
    assert await result(memory, long, steps=steps, size=size, sleep_s=1) == steps * size
    assert sorted(RUNS) == sorted(f"part{number}" for number in range(steps))


async def test_a_thousand_children_are_joined_once(memory):
    assert await result(memory, wide, width=1000) == sum(range(1000))


async def test_more_children_than_a_join_can_count_are_refused_and_none_is_made(memory):
    with pytest.raises(TaskFailed, match=f"{WIDTH_LIMIT:,} are possible"):
        await result(memory, wide, width=WIDTH_LIMIT + 1)
    assert memory.waiting(one) == []


async def test_a_year_of_sleep_ends_with_all_that_was_recorded_before_it(memory):
    before = memory.clock.now_ms()
    assert await result(memory, long, steps=3, size=300 * 1024, sleep_s=SLEEP_LIMIT_S) == 921_600
    assert memory.clock.now_ms() - before >= 1000 * SLEEP_LIMIT_S
    assert len(RUNS) == 3


async def test_a_longer_sleep_is_refused(memory):
    with pytest.raises(TaskFailed, match=f"0 to {SLEEP_LIMIT_S} are possible"):
        await result(memory, long, steps=1, size=1, sleep_s=SLEEP_LIMIT_S + 1)


def test_the_bucket_keeps_payloads_for_longer_than_their_task_may_wait():
    """Large arguments and outcomes of steps are needed after the wait, the result after that."""
    assert SLEEP_LIMIT_S + Settings().ttl_s < PAYLOAD_DAYS * DAY_S
