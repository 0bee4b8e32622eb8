"""While a task of a singleton's key is under way, another submit returns that task."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.errors import InvalidAgent, UsageError
from sqswarm.schemas.lifecycle import Status


@agent(timeout=20)
async def plain(n: int, *, ctx: TaskContext) -> int:
    if n == 0:
        await ctx.ask("go", "?", str)
    return n


@agent(timeout=20, singleton="tenant")
async def by_tenant(tenant: str = "a", n: int = 0) -> str:
    return f"{tenant} {n}"


@pytest.fixture
def memory():
    return MemorySwarm(plain, by_tenant)


ONE = {"singleton": "one"}


async def test_a_second_submit_returns_the_task_under_way(memory):
    first = await memory.submit(plain, ONE, n=1)
    assert await memory.submit(plain, ONE, n=2) == first
    assert await memory.submit(plain, {"singleton": "two"}, n=3) != first
    assert await memory.submit(plain, n=4) != first
    assert len(memory.waiting(plain)) == 3
    await memory.settle_down()
    assert (await memory.see(first)).result() == 1


async def test_the_key_is_free_again_when_the_task_has_ended(memory):
    first = await memory.submit(plain, ONE, n=1)
    await memory.settle_down()
    second = await memory.submit(plain, ONE, n=2)
    assert second != first
    assert await memory.submit(plain, ONE, n=3) == second
    await memory.settle_down()
    assert (await memory.see(second)).result() == 2


async def test_a_task_that_waits_is_under_way(memory):
    first = await memory.submit(plain, ONE, n=0)
    await memory.settle_down()
    assert (await memory.see(first)).status is Status.INPUT_REQUIRED
    assert await memory.submit(plain, ONE, n=2) == first
    assert memory.waiting(plain) == []


async def test_an_agents_singleton_is_of_each_value_of_its_argument(memory):
    first = await memory.submit(by_tenant, n=1)
    assert await memory.submit(by_tenant, tenant="a", n=2) == first
    other = await memory.submit(by_tenant, tenant="b", n=3)
    own = await memory.submit(by_tenant, {"singleton": "mine"}, tenant="b")
    assert len({first, other, own}) == 3
    await memory.settle_down()
    assert (await memory.see(first)).result() == "a 1"


async def test_of_one_batch_one_task_of_a_key_is_started(memory):
    requests = [Request(arguments={"n": n}, singleton="ab"[n % 2]) for n in range(6)]
    made = await submit(memory.connection, "plain", requests)
    assert [one.task_id for one in made] == [made[0].task_id, made[1].task_id] * 3
    assert len(memory.waiting(plain)) == 2


async def test_a_singleton_is_each_principals_own(memory):
    request = Request(arguments={"n": 1}, singleton="one")
    [mine] = await submit(memory.connection, "plain", [request])
    [yours] = await submit(memory.connection_for("you"), "plain", [request])
    assert mine.task_id != yours.task_id


async def test_an_idempotency_key_comes_before_a_singleton(memory):
    keyed = {**ONE, "idempotency_key": "k"}
    first = await memory.submit(plain, keyed, n=1)
    await memory.settle_down()
    other = await memory.submit(plain, ONE, n=2)
    assert await memory.submit(plain, keyed, n=1) == first != other


async def test_a_delayed_singleton_is_not_started_by_a_repeat(memory):
    first = await memory.submit(plain, {**ONE, "delay_s": 60}, n=1)
    assert await memory.submit(plain, ONE, n=1) == first
    await memory.settle_down()
    assert (await memory.see(first)).status is Status.WORKING
    assert len(memory.waiting(plain)) == 1


async def test_what_is_no_key_is_refused(memory):
    with pytest.raises(UsageError):
        await memory.submit(plain, {"singleton": ""}, n=1)
    with pytest.raises(InvalidAgent, match="singleton"):
        agent(singleton=3)(by_tenant.function)
