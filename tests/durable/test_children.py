"""Child tasks: the parent suspends, the children run, the join fires once."""

import asyncio

import pytest
from memory_swarm import House

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.schemas.errors import ChildFailed, TaskFailed
from sqswarm.schemas.journal import child_id, plan_entry
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.workers.runtime.acquire import acquire
from sqswarm.workers.runtime.job import job_of

RUNS: list[str] = []


@pytest.fixture(autouse=True)
def _fresh():
    RUNS.clear()


@agent(timeout=20)
async def double(n: int) -> int:
    RUNS.append(f"double {n}")
    if n < 0:
        raise Fail("negative", type="Negative")
    return 2 * n


@agent(timeout=20, max_attempts=2)
async def total(numbers: list[int], *, ctx: TaskContext) -> int:
    RUNS.append(f"total {ctx.attempt}")
    return sum(await ctx.map("double", [{"n": n} for n in numbers]))


@agent(timeout=20, durability="durable")
async def chain(n: int, *, ctx: TaskContext) -> int:
    for _ in range(3):
        n = await ctx.call("double", n=n)
    return n


@agent(timeout=20)
async def side_by_side(*, ctx: TaskContext) -> list[int]:
    async def branch(n: int) -> int:
        return await ctx.call("double", n=await ctx.call("double", n=n))

    return list(await asyncio.gather(branch(1), branch(5)))


@agent(timeout=20)
async def tolerant(numbers: list[int], *, ctx: TaskContext) -> list[str]:
    tasks = [ctx.task("double", n=n) for n in numbers]
    results = await ctx.gather(*tasks, return_exceptions=True)
    return [r.error_type if isinstance(r, ChildFailed) else str(r) for r in results]


@agent(timeout=20)
async def swallows(n: int, *, ctx: TaskContext) -> int:
    try:
        return await ctx.call("double", n=n)
    except Exception:
        return -1


@agent(timeout=20)
async def tidy(n: int, *, ctx: TaskContext) -> int:
    try:
        return await ctx.call("double", n=n)
    finally:
        await ctx.step("tidy", RUNS.append, "tidied")


@agent(timeout=20)
async def impatient(n: int, *, ctx: TaskContext) -> int:
    async with asyncio.TaskGroup() as group:
        one = group.create_task(ctx.call("double", n=n))
        group.create_task(ctx.step("beside", RUNS.append, "beside"))
    return int(one.result())


@agent(timeout=20)
async def deeper(n: int, *, ctx: TaskContext) -> int:
    return await ctx.call("deeper", n=n + 1)


@agent(timeout=20)
async def nested(*, ctx: TaskContext) -> int:
    return await ctx.call("total", numbers=[1, 2])


@agent(timeout=20)
async def careless(*, ctx: TaskContext) -> int:
    return await ctx.call("double", n="one")


AGENTS = (
    double,
    total,
    chain,
    side_by_side,
    tolerant,
    swallows,
    tidy,
    impatient,
    deeper,
    nested,
    careless,
)


@pytest.fixture
def house():
    return House(*AGENTS)


async def test_a_parent_waits_without_a_message_and_gets_its_childrens_results(house):
    task_id = await house.submit(total, numbers=[1, 2, 3])
    await house.work(total)
    waiting = await house.record(task_id)
    assert (waiting.status, waiting.phase, len(waiting.pending)) == (
        Status.WORKING,
        Phase.WAITING,
        3,
    )
    assert waiting.lease_until_ms == 0
    assert house.waiting(total) == []
    await house.settle_down()
    assert (await house.see(task_id)).result() == 12
    assert sorted(RUNS) == ["double 1", "double 2", "double 3", "total 1", "total 1"]


async def test_several_joins_follow_each_other(house):
    task_id = await house.submit(chain, n=1)
    await house.settle_down()
    assert (await house.see(task_id)).result() == 8


async def test_branches_side_by_side_join_one_wait(house):
    task_id = await house.submit(side_by_side)
    with house.counting() as counts:
        await house.settle_down()
    assert (await house.see(task_id)).result() == [4, 20]
    assert counts["plan"] == counts["fire"] == 2


async def test_the_same_call_twice_is_two_children(house):
    task_id = await house.submit(total, numbers=[4, 4])
    await house.settle_down()
    assert (await house.see(task_id)).result() == 16
    assert RUNS.count("double 4") == 2


async def test_a_failed_child_fails_its_parent_at_once_and_by_name(house):
    task_id = await house.submit(total, numbers=[1, -1])
    await house.settle_down()
    with pytest.raises(TaskFailed, match=r"ChildFailed: .*Negative: negative"):
        (await house.see(task_id)).result()
    assert RUNS.count("total 1") == 2


async def test_failures_come_as_values_where_asked(house):
    task_id = await house.submit(tolerant, numbers=[1, -1, 3])
    await house.settle_down()
    assert (await house.see(task_id)).result() == ["2", "Negative", "6"]


async def test_suspending_passes_through_except_exception(house):
    task_id = await house.submit(swallows, n=2)
    await house.settle_down()
    assert (await house.see(task_id)).result() == 4


async def test_a_clean_up_step_does_not_run_when_its_task_only_waits(house):
    task_id = await house.submit(tidy, n=2)
    await house.settle_down()
    assert (await house.see(task_id)).result() == 4
    assert RUNS == ["double 2", "tidied"]


async def test_a_step_beside_a_wait_is_finished_before_the_run_is_suspended(house):
    task_id = await house.submit(impatient, n=2)
    await house.settle_down()
    assert (await house.see(task_id)).result() == 4
    assert sorted(RUNS) == ["beside", "double 2"]


async def test_a_parent_that_waits_uses_up_no_attempt(house):
    task_id = await house.submit(chain, n=1)
    await house.settle_down()
    assert (await house.record(task_id)).attempt == 1


async def test_depth_is_limited_with_a_clear_error(house):
    task_id = await house.submit(deeper, n=0)
    await house.settle_down()
    with pytest.raises(TaskFailed, match="tasks may go no deeper"):
        (await house.see(task_id)).result()


async def test_wrong_arguments_of_a_child_fail_the_parent_before_anything_is_planned(house):
    task_id = await house.submit(careless)
    await house.settle_down()
    with pytest.raises(TaskFailed, match="InvalidArguments"):
        (await house.see(task_id)).result()
    assert RUNS == []


async def test_a_thousand_children_join_once(house):
    task_id = await house.submit(total, numbers=list(range(1000)))
    with house.counting() as counts:
        await house.settle_down()
    assert (await house.see(task_id)).result() == 999_000
    assert counts["fire"] == 1
    assert counts["count"] <= 1000
    assert len(RUNS) == 1002


async def test_children_belong_to_their_parents_principal_trace_and_depth(house):
    task_id = await house.submit(total, numbers=[1])
    await house.work(total)
    parent = await house.record(task_id)
    [child] = [
        r.record
        for r in [await house.see(k.pk.removeprefix("task#")) for k in house.store.items]
        if r.record.agent == "double"
    ]
    assert child.principal == "me"
    assert child.depth == 1
    assert child.parent == f"{task_id}#0"
    assert child.traceparent.split("-")[1] == parent.traceparent.split("-")[1]


class TestCancel:
    async def test_cancelling_a_parent_cancels_its_children_and_theirs(self, house):
        task_id = await house.submit(nested)
        await house.work(nested)
        await house.work(total)
        assert await cancel(house.desk, task_id) is Status.CANCELLED
        statuses = {item["status"] for item in house.store.items.values()}
        assert statuses == {"cancelled"}
        assert not any("due_at" in item for item in house.store.items.values())
        await house.settle_down()
        assert "double 1" not in RUNS

    async def test_a_child_never_created_gets_a_tombstone(self, house):
        task_id = await house.submit(total, numbers=[1, 2])
        house.store.crash_before = "create"
        await house.work(total)
        assert len(house.store.items) == 1
        await cancel(house.desk, task_id)
        assert sorted(i["status"] for i in house.store.items.values()) == ["cancelled"] * 3
        house.clock.advance(seconds=600)
        await house.settle_down()
        assert "double 1" not in RUNS
        assert house.waiting(total) == []

    async def test_a_cancel_that_dies_halfway_is_finished_by_housekeeping(self, house):
        task_id = await house.submit(total, numbers=[1, 2])
        await house.work(total)
        real, calls = house.store.write_many, []

        async def dies(writes):
            calls.append(writes)
            raise ConnectionError

        house.store.write_many = dies
        with pytest.raises(ConnectionError):
            await cancel(house.desk, task_id)
        house.store.write_many = real
        assert (await house.record(task_id)).due_at_ms is not None
        await house.keep_house(minutes=3)
        assert {i["status"] for i in house.store.items.values()} == {"cancelled"}
        assert (await house.record(task_id)).due_at_ms is None

    async def test_a_cancelled_child_arrives_as_a_failure(self, house):
        task_id = await house.submit(tolerant, numbers=[1, 2])
        await house.work(tolerant)
        waits = (await house.record(task_id)).waits
        key = plan_entry(waits)["children"][0]["key"]
        await cancel(house.desk, child_id(task_id, key))
        await house.settle_down()
        assert (await house.see(task_id)).result() == ["Cancelled", "4"]

    async def test_cancel_while_the_parent_plans_reaches_the_children(self, house):
        task_id = await house.submit(total, {"durable": True}, numbers=[1])
        real = house.store.write

        async def plans_first(write):
            house.store.write = real
            await house.work(total)
            return await real(write)

        house.store.write = plans_first  # the cancel has read a parent that only runs
        assert await cancel(house.desk, task_id) is Status.CANCELLED
        assert [i["status"] for i in house.store.items.values()] == ["cancelled"] * 2
        await house.settle_down()
        assert "double 1" not in RUNS


class TestCrashes:
    """Each line: the worker dies there; redelivery or housekeeping goes on."""

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param("create", id="after-plan-before-children"),
            pytest.param("count", id="after-settle-before-count"),
            pytest.param("fire", id="after-count-before-fire"),
            pytest.param("clear due", id="before-clear-due"),
        ],
    )
    @pytest.mark.parametrize("repaired_by", ["redelivery", "housekeeping"])
    async def test_a_crash_before(self, house, before, repaired_by):
        task_id = await house.submit(total, numbers=[1, 2])
        house.store.crash_before = before
        await house.settle_down()
        assert house.store.crash_before is None
        if repaired_by == "housekeeping":  # the messages are gone for good
            for one in (total, double):
                house.bus._queues[house.queue(one)].messages.clear()
            await house.keep_house(minutes=8)
        else:
            house.clock.advance(seconds=200)
            await house.settle_down()
            house.clock.advance(seconds=200)
            await house.settle_down()
        assert (await house.see(task_id)).result() == 6
        assert house.store.counts["fire"] == 1
        assert RUNS.count("double 1") == RUNS.count("double 2") == 1
        await house.keep_house(minutes=3)
        assert not any("due_at" in item for item in house.store.items.values())

    @pytest.mark.parametrize("publish", [1, 2], ids=["of-the-children", "of-the-parent"])
    @pytest.mark.parametrize("repaired_by", ["redelivery", "housekeeping"])
    async def test_a_crash_before_a_publish(self, house, publish, repaired_by):
        task_id = await house.submit(total, numbers=[1, 2])
        if publish == 2:
            await house.work(total)
        house.bus.crash_at_publish = 1
        await house.settle_down()
        assert house.bus.crash_at_publish == 0
        if repaired_by == "housekeeping":
            for one in (total, double):
                house.bus._queues[house.queue(one)].messages.clear()
            await house.keep_house(minutes=8)
        else:
            house.clock.advance(seconds=200)
            await house.settle_down()
            await house.keep_house(minutes=3)
        assert (await house.see(task_id)).result() == 6
        assert RUNS.count("double 1") == RUNS.count("double 2") == 1


async def test_a_copy_of_the_parents_message_while_it_waits_changes_nothing(house):
    task_id = await house.submit(total, numbers=[1, 2])
    [body] = house.waiting(total)
    await house.work(total)
    before = dict(house.store.items)
    await house.copy(total, body)
    await house.work(total)
    assert house.store.items == before
    assert house.waiting(total) == []
    await house.settle_down()
    assert (await house.see(task_id)).result() == 6


async def test_copies_of_an_ended_childs_message_count_it_once(house):
    task_id = await house.submit(chain, n=1)
    await house.work(chain)
    [body] = house.waiting(double)
    await house.work(double)
    await house.work(chain)  # it waits for its second child by now
    for _ in range(3):
        await house.copy(double, body)
    await house.work(double)
    parent = await house.record(task_id)
    assert (parent.phase, len(parent.pending)) == (Phase.WAITING, 1) or parent.phase is (
        Phase.CHILDREN_DONE
    )
    await house.settle_down()
    assert (await house.see(task_id)).result() == 8


async def test_a_child_of_an_earlier_wait_is_never_taken_for_one_of_a_later(house):
    task_id = await house.submit(chain, n=1)
    await house.work(chain)
    [first] = house.waiting(double)
    await house.work(double)
    await house.work(chain)
    house.bus._queues[house.queue(double)].messages.clear()  # the second child is yet to run
    await house.copy(double, first)
    await house.work(double)
    parent = await house.record(task_id)
    assert (parent.phase, parent.pending) == (Phase.WAITING, frozenset({1}))


async def test_two_last_children_that_end_together_fire_once(house):
    task_id = await house.submit(total, numbers=[1, 2])
    await house.work(total)
    one = await house.bus.receive(house.queue(double), limit=1, wait_s=0)
    two = await house.bus.receive(house.queue(double), limit=1, wait_s=0)
    runtime = house.runtimes["double"]
    await asyncio.gather(runtime.handle(one), runtime.handle(two))
    assert house.store.counts["fire"] == 1
    await house.settle_down()
    assert (await house.see(task_id)).result() == 6


async def test_a_parent_whose_worker_dies_after_the_join_has_its_whole_budget_again(house):
    task_id = await house.submit(total, numbers=[1])
    await house.work(total)
    await house.work(double)
    for _ in range(2):  # two workers take it and die
        [delivery] = await house.bus.receive(house.queue(total), limit=1, wait_s=0)
        await acquire(house.station(total), [job_of(delivery, total.spec)])
        house.clock.advance(seconds=400)
    await house.settle_down()
    seen = await house.see(task_id)
    assert seen.status is Status.FAILED
    assert seen.record.error["data"] == {"type": "WorkerLost", "attempt": 2}


async def test_one_parent_that_cannot_be_looked_after_does_not_hold_up_its_batch(house):
    waiting = await house.submit(total, numbers=[1])
    [body] = house.waiting(total)
    await house.work(total)
    house.bus._queues[house.queue(double)].messages.clear()
    await house.copy(total, body)
    fine = await house.submit(total, numbers=[])
    real = house.store.read_many

    async def fails(keys):
        house.store.read_many = real
        raise ConnectionError

    house.store.read_many = fails
    result = await house.work(total)
    assert len(result.keep) == len(result.delete) == 1
    assert (await house.see(fine)).result() == 0
    await house.keep_house(minutes=8)
    assert (await house.see(waiting)).result() == 2
