"""No more tasks of a key run at a time than the limit says, however many workers there are."""

import asyncio

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Limit, Retry, TaskContext, agent
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol.limit import give_back, renew, slots_key, take
from sqswarm.schemas.task import task_key
from sqswarm.schemas.writes import applied, holds

RUNNING: dict[str, int] = {}
MOST: dict[str, int] = {}


async def run(tenant: str) -> None:
    RUNNING[tenant] = RUNNING.get(tenant, 0) + 1
    MOST[tenant] = max(MOST.get(tenant, 0), RUNNING[tenant])
    for _ in range(50):
        await asyncio.sleep(0)
    RUNNING[tenant] -= 1


@agent(timeout=20, limit=Limit(2, per="tenant"))
async def by_tenant(n: int, tenant: str = "a", *, ctx: TaskContext) -> int:
    await run(tenant)
    if n < 0 and ctx.attempt == 1:
        raise Retry("again", after=1)
    return ctx.attempt


@agent(timeout=20, limit=Limit(1))
async def alone(n: int) -> int:
    await run("")
    return n


@agent(timeout=20, limit=Limit(1))
async def asking(*, ctx: TaskContext) -> str:
    return await ctx.ask("go", "?", str)


@agent(timeout=20)
async def unlimited(n: int) -> int:
    return n


@agent(timeout=20, limit=Limit(1, per="tenant"))
async def tagged(n: int) -> int:
    await run("tagged")
    return n


@pytest.fixture
def memory():
    RUNNING.clear()
    MOST.clear()
    return MemorySwarm(by_tenant, alone, asking, tagged, unlimited)


def slots(memory):
    return [item for key, item in memory.store.items.items() if key.pk.startswith("limit#")]


def held(item):
    return [name for name in item if name.startswith("held_")]


async def run_for(memory, *, seconds):
    for _ in range(seconds):
        await memory.settle_down()
        memory.clock.advance(seconds=1)


async def test_so_many_of_a_key_run_at_a_time_and_all_in_the_end(memory):
    ids = [await memory.submit(by_tenant, n=n) for n in range(9)]
    ids += [await memory.submit(by_tenant, n=n, tenant="b") for n in range(9)]
    ids += [await memory.submit(alone, n=n) for n in range(3)]
    await run_for(memory, seconds=120)
    assert {(await memory.see(one)).status for one in ids} == {Status.COMPLETED}
    assert MOST == {"a": 2, "b": 2, "": 1}
    assert [held(item) for item in slots(memory)] == [[], [], []]


async def test_a_limit_per_tag_and_of_arguments_that_are_kept_elsewhere(memory):
    for tenant in ("x", "x", "y"):
        await memory.submit(tagged, {"tags": {"tenant": tenant}}, n=1)
    for _ in range(3):
        await memory.submit(by_tenant, n=1, tenant="long" * 20_000)
    await run_for(memory, seconds=60)
    assert MOST == {"tagged": 2, "long" * 20_000: 2}
    assert len(slots(memory)) == 3


async def test_waiting_for_a_slot_uses_up_no_attempt(memory):
    ids = [await memory.submit(by_tenant, n=n) for n in range(6)]
    await run_for(memory, seconds=60)
    assert [(await memory.see(one)).result() for one in ids] == [1] * 6


async def test_a_failed_attempt_gives_its_slot_back(memory):
    task_id = await memory.submit(by_tenant, n=-1)
    await memory.work(by_tenant)
    assert [held(item) for item in slots(memory)] == [[]]
    await run_for(memory, seconds=30)
    assert (await memory.see(task_id)).result() == 2


async def test_a_task_that_waits_for_a_person_holds_no_slot(memory):
    first, second = [await memory.submit(asking) for _ in range(2)]
    await run_for(memory, seconds=5)
    assert {(await memory.see(i)).status for i in (first, second)} == {Status.INPUT_REQUIRED}


async def test_a_slot_whose_worker_died_is_free_when_its_lease_is_over(memory):
    token = "another's"
    key = slots_key("alone", "")
    lease_s = alone.spec.lease_s
    write, _ = take(
        key,
        None,
        [token],
        count=1,
        now_ms=memory.clock.now_ms(),
        until_ms=memory.clock.now_ms() + 1000 * lease_s,
    )
    await memory.store.write(write)
    task_id = await memory.submit(alone, n=1)
    await run_for(memory, seconds=lease_s - 1)
    assert task_key("alone", task_id) not in memory.store.items
    await run_for(memory, seconds=32)
    assert (await memory.see(task_id)).status is Status.COMPLETED


async def test_a_task_that_waits_for_hours_is_not_given_up(memory):
    key = slots_key("alone", "")
    now_ms = memory.clock.now_ms()
    hours_ms = 3 * 3_600_000
    write, _ = take(key, None, ["other"], count=1, now_ms=now_ms, until_ms=now_ms + hours_ms)
    await memory.store.write(write)
    task_id = await memory.submit(alone, n=1)
    for _ in range(4 * 3600 // 30):
        await memory.settle_down()
        memory.clock.advance(seconds=30)
    assert (await memory.see(task_id)).result() == 1
    assert memory.log.getvalue().count("slot.awaited") > 150


async def test_a_worker_that_stood_still_does_not_run_under_the_slot_it_outlived(memory):
    task_id = await memory.submit(alone, n=1)
    real = memory.store.write_each

    async def slowly(writes):
        outcomes = await real(writes)
        memory.clock.advance(seconds=alone.spec.lease_s)
        return outcomes

    memory.store.write_each = slowly
    await memory.work(alone)
    assert MOST == {}
    memory.store.write_each = real
    await run_for(memory, seconds=60)
    assert (await memory.see(task_id)).result() == 1


async def test_an_agent_without_a_limit_makes_no_call_more(memory):
    await memory.submit(unlimited, n=1)
    with memory.counting() as counts:
        await memory.work(unlimited)
    assert counts == {"acquire": 1, "settle": 1}


async def test_a_batch_of_one_key_takes_and_gives_back_in_one_write_each(memory):
    for n in range(2):
        await memory.submit(by_tenant, n=n)
    with memory.counting() as counts:
        await memory.work(by_tenant)
    assert counts == {"acquire": 2, "settle": 2, "slots": 2}


def test_only_what_is_free_is_taken_and_only_by_one():
    key = slots_key("a", "")
    write, granted = take(key, None, ["x", "y", "z"], count=2, now_ms=0, until_ms=10)
    item = applied(write, None)
    assert [slot.token for slot in granted] == ["x", "y"]
    assert not holds(write.when[0], item)
    assert take(key, item, ["z"], count=2, now_ms=9, until_ms=20) == (None, [])
    over, [slot] = take(key, item, ["z"], count=2, now_ms=10, until_ms=20)
    renewed = applied(renew(granted[0], until_ms=30), item)
    assert not all(holds(condition, renewed) for condition in over.when)
    after = applied(over, item)
    assert held(after) == [f"held_{b'z'.hex()}"]
    assert slot.until_ms == 20
    assert held(applied(give_back(key, ["z"]), after)) == []


def test_a_take_whose_answer_was_lost_is_known_again():
    key = slots_key("a", "")
    write, granted = take(key, None, ["x"], count=1, now_ms=0, until_ms=10)
    item = applied(write, None)
    assert take(key, item, ["x"], count=1, now_ms=1, until_ms=11) == (None, granted)


@pytest.mark.parametrize(
    "options",
    [
        {"limit": Limit(0)},
        {"limit": Limit(101)},
        {"limit": 3},
        {"limit": Limit(1), "durability": "lean"},
        {"limit": Limit(1), "ordered": True},
        {"limit": Limit(1, per="n"), "joins": ["a", "b"], "key": "n"},
    ],
)
def test_a_limit_that_cannot_hold_is_refused_when_it_is_declared(options):
    with pytest.raises(InvalidAgent, match="agent 'plain'"):
        agent(**options)(plain)


async def plain(n: int) -> int:
    return n
