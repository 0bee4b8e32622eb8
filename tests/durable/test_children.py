"""Child tasks: the parent suspends, the children run, the join fires once."""

import asyncio

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.schemas.errors import ChildFailed, TaskFailed
from sqswarm.schemas.journal import child_id, plan_entry
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import task_of
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
def memory():
    return MemorySwarm(*AGENTS)


async def test_a_parent_waits_without_a_message_and_gets_its_childrens_results(memory):
    task_id = await memory.submit(total, numbers=[1, 2, 3])
    await memory.work(total)
    waiting = await memory.record(task_id)
    assert (waiting.status, waiting.phase, len(waiting.pending)) == (
        Status.WORKING,
        Phase.WAITING,
        3,
    )
    assert waiting.lease_until_ms == 0
    assert memory.waiting(total) == []
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 12
    assert sorted(RUNS) == ["double 1", "double 2", "double 3", "total 1", "total 1"]


async def test_several_joins_follow_each_other(memory):
    task_id = await memory.submit(chain, n=1)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 8


async def test_branches_side_by_side_join_one_wait(memory):
    task_id = await memory.submit(side_by_side)
    with memory.counting() as counts:
        await memory.settle_down()
    assert (await memory.see(task_id)).result() == [4, 20]
    assert counts["plan"] == counts["fire"] == 2


async def test_the_same_call_twice_is_two_children(memory):
    task_id = await memory.submit(total, numbers=[4, 4])
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 16
    assert RUNS.count("double 4") == 2


async def test_a_failed_child_fails_its_parent_at_once_and_by_name(memory):
    task_id = await memory.submit(total, numbers=[1, -1])
    await memory.settle_down()
    with pytest.raises(TaskFailed, match=r"ChildFailed: .*Negative: negative"):
        (await memory.see(task_id)).result()
    assert RUNS.count("total 1") == 2


async def test_failures_come_as_values_where_asked(memory):
    task_id = await memory.submit(tolerant, numbers=[1, -1, 3])
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == ["2", "Negative", "6"]


async def test_suspending_passes_through_except_exception(memory):
    task_id = await memory.submit(swallows, n=2)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 4


async def test_a_clean_up_step_does_not_run_when_its_task_only_waits(memory):
    task_id = await memory.submit(tidy, n=2)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 4
    assert RUNS == ["double 2", "tidied"]


async def test_a_step_beside_a_wait_is_finished_before_the_run_is_suspended(memory):
    task_id = await memory.submit(impatient, n=2)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 4
    assert sorted(RUNS) == ["beside", "double 2"]


async def test_a_parent_that_waits_uses_up_no_attempt(memory):
    task_id = await memory.submit(chain, n=1)
    await memory.settle_down()
    assert (await memory.record(task_id)).attempt == 1


async def test_depth_is_limited_with_a_clear_error(memory):
    task_id = await memory.submit(deeper, n=0)
    await memory.settle_down()
    with pytest.raises(TaskFailed, match="tasks may go no deeper"):
        (await memory.see(task_id)).result()


async def test_wrong_arguments_of_a_child_fail_the_parent_before_anything_is_planned(memory):
    task_id = await memory.submit(careless)
    await memory.settle_down()
    with pytest.raises(TaskFailed, match="InvalidArguments"):
        (await memory.see(task_id)).result()
    assert RUNS == []


async def test_a_thousand_children_join_once(memory):
    task_id = await memory.submit(total, numbers=list(range(1000)))
    with memory.counting() as counts:
        await memory.settle_down()
    assert (await memory.see(task_id)).result() == 999_000
    assert counts["fire"] == 1
    assert counts["count"] <= 1000
    assert len(RUNS) == 1002


async def test_children_belong_to_their_parents_principal_trace_and_depth(memory):
    task_id = await memory.submit(total, numbers=[1])
    await memory.work(total)
    parent = await memory.record(task_id)
    [child] = [
        r.record
        for r in [await memory.see(task_of(k)[1]) for k in memory.kept]
        if r.record.agent == "double"
    ]
    assert child.principal == "me"
    assert child.depth == 1
    assert child.parent == f"{task_id}#0"
    assert child.traceparent.split("-")[1] == parent.traceparent.split("-")[1]


class TestCancel:
    async def test_cancelling_a_parent_cancels_its_children_and_theirs(self, memory):
        task_id = await memory.submit(nested)
        await memory.work(nested)
        await memory.work(total)
        assert await cancel(memory.connection, task_id) is Status.CANCELLED
        statuses = {item["status"] for item in memory.kept.values()}
        assert statuses == {"cancelled"}
        assert not any("due_at" in item for item in memory.kept.values())
        await memory.settle_down()
        assert "double 1" not in RUNS

    async def test_a_child_never_created_gets_a_tombstone(self, memory):
        task_id = await memory.submit(total, numbers=[1, 2])
        memory.store.crash_before = "create"
        await memory.work(total)
        assert len(memory.kept) == 1
        await cancel(memory.connection, task_id)
        assert sorted(i["status"] for i in memory.kept.values()) == ["cancelled"] * 3
        memory.clock.advance(seconds=600)
        await memory.settle_down()
        assert "double 1" not in RUNS
        assert memory.waiting(total) == []

    async def test_a_cancel_that_dies_halfway_is_finished_by_housekeeping(self, memory):
        task_id = await memory.submit(total, numbers=[1, 2])
        await memory.work(total)
        real, calls = memory.store.write_many, []

        async def dies(writes):
            calls.append(writes)
            raise ConnectionError

        memory.store.write_many = dies
        with pytest.raises(ConnectionError):
            await cancel(memory.connection, task_id)
        memory.store.write_many = real
        assert (await memory.record(task_id)).due_at_ms is not None
        await memory.housekeep(minutes=3)
        assert {i["status"] for i in memory.kept.values()} == {"cancelled"}
        assert (await memory.record(task_id)).due_at_ms is None

    async def test_a_cancelled_child_arrives_as_a_failure(self, memory):
        task_id = await memory.submit(tolerant, numbers=[1, 2])
        await memory.work(tolerant)
        waits = (await memory.record(task_id)).waits
        key = plan_entry(waits)["children"][0]["key"]
        await cancel(memory.connection, child_id(task_id, key), agent="double")
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == ["Cancelled", "4"]

    async def test_cancel_while_the_parent_plans_reaches_the_children(self, memory):
        task_id = await memory.submit(total, {"durable": True}, numbers=[1])
        real = memory.store.write

        async def plans_first(write):
            memory.store.write = real
            await memory.work(total)
            return await real(write)

        memory.store.write = plans_first  # the cancel has read a parent that only runs
        assert await cancel(memory.connection, task_id) is Status.CANCELLED
        assert [i["status"] for i in memory.kept.values()] == ["cancelled"] * 2
        await memory.settle_down()
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
    async def test_a_crash_before(self, memory, before, repaired_by):
        task_id = await memory.submit(total, numbers=[1, 2])
        memory.store.crash_before = before
        await memory.settle_down()
        assert memory.store.crash_before is None
        if repaired_by == "housekeeping":  # the messages are gone for good
            for one in (total, double):
                memory.bus._queues[memory.queue(one)].messages.clear()
            await memory.housekeep(minutes=8)
        else:
            memory.clock.advance(seconds=200)
            await memory.settle_down()
            memory.clock.advance(seconds=200)
            await memory.settle_down()
        assert (await memory.see(task_id)).result() == 6
        assert memory.store.counts["fire"] == 1
        assert RUNS.count("double 1") == RUNS.count("double 2") == 1
        await memory.housekeep(minutes=3)
        assert not any("due_at" in item for item in memory.kept.values())

    @pytest.mark.parametrize("publish", [1, 2], ids=["of-the-children", "of-the-parent"])
    @pytest.mark.parametrize("repaired_by", ["redelivery", "housekeeping"])
    async def test_a_crash_before_a_publish(self, memory, publish, repaired_by):
        task_id = await memory.submit(total, numbers=[1, 2])
        if publish == 2:
            await memory.work(total)
        memory.bus.crash_at_publish = 1
        await memory.settle_down()
        assert memory.bus.crash_at_publish == 0
        if repaired_by == "housekeeping":
            for one in (total, double):
                memory.bus._queues[memory.queue(one)].messages.clear()
            await memory.housekeep(minutes=8)
        else:
            memory.clock.advance(seconds=200)
            await memory.settle_down()
            await memory.housekeep(minutes=3)
        assert (await memory.see(task_id)).result() == 6
        assert RUNS.count("double 1") == RUNS.count("double 2") == 1


async def test_a_copy_of_the_parents_message_while_it_waits_changes_nothing(memory):
    task_id = await memory.submit(total, numbers=[1, 2])
    [body] = memory.waiting(total)
    await memory.work(total)
    before = dict(memory.kept)
    await memory.copy(total, body)
    await memory.work(total)
    assert memory.kept == before
    assert memory.waiting(total) == []
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 6


async def test_copies_of_an_ended_childs_message_count_it_once(memory):
    task_id = await memory.submit(chain, n=1)
    await memory.work(chain)
    [body] = memory.waiting(double)
    await memory.work(double)
    await memory.work(chain)  # it waits for its second child by now
    for _ in range(3):
        await memory.copy(double, body)
    await memory.work(double)
    parent = await memory.record(task_id)
    assert (parent.phase, len(parent.pending)) == (Phase.WAITING, 1) or parent.phase is (
        Phase.CHILDREN_DONE
    )
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 8


async def test_a_child_of_an_earlier_wait_is_never_taken_for_one_of_a_later(memory):
    task_id = await memory.submit(chain, n=1)
    await memory.work(chain)
    [first] = memory.waiting(double)
    await memory.work(double)
    await memory.work(chain)
    memory.bus._queues[memory.queue(double)].messages.clear()  # the second child is yet to run
    await memory.copy(double, first)
    await memory.work(double)
    parent = await memory.record(task_id)
    assert (parent.phase, parent.pending) == (Phase.WAITING, frozenset({1}))


async def test_two_last_children_that_end_together_fire_once(memory):
    task_id = await memory.submit(total, numbers=[1, 2])
    await memory.work(total)
    one = await memory.bus.receive(memory.queue(double), limit=1, wait_s=0)
    two = await memory.bus.receive(memory.queue(double), limit=1, wait_s=0)
    runtime = memory.runtimes["double"]
    await asyncio.gather(runtime.handle(one), runtime.handle(two))
    assert memory.store.counts["fire"] == 1
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 6


async def test_a_parent_whose_worker_dies_after_the_join_has_its_whole_budget_again(memory):
    task_id = await memory.submit(total, numbers=[1])
    await memory.work(total)
    await memory.work(double)
    for _ in range(2):  # two workers take it and die
        [delivery] = await memory.bus.receive(memory.queue(total), limit=1, wait_s=0)
        await acquire(
            memory.worker(total), [job_of(delivery, total.spec, token=f"token-{delivery.receipt}")]
        )
        memory.clock.advance(seconds=400)
    await memory.settle_down()
    seen = await memory.see(task_id)
    assert seen.status is Status.FAILED
    assert seen.record.error["data"] == {"type": "WorkerLost", "attempt": 2}


async def test_one_parent_that_cannot_be_looked_after_does_not_hold_up_its_batch(memory):
    waiting = await memory.submit(total, numbers=[1])
    [body] = memory.waiting(total)
    await memory.work(total)
    memory.bus._queues[memory.queue(double)].messages.clear()
    await memory.copy(total, body)
    fine = await memory.submit(total, numbers=[])
    real = memory.store.read_many

    async def fails(keys):
        memory.store.read_many = real
        raise ConnectionError

    memory.store.read_many = fails
    result = await memory.work(total)
    assert len(result.keep) == len(result.delete) == 1
    assert (await memory.see(fine)).result() == 0
    await memory.housekeep(minutes=8)
    assert (await memory.see(waiting)).result() == 2


@agent(calls=[double, "total"])
async def bound(name: str, *, ctx: TaskContext) -> int:
    RUNS.append(f"bound {ctx.attempt}")
    return await ctx.call(name, n=1)


async def test_a_call_that_the_role_does_not_allow_fails_at_once_with_the_fix():
    memory = MemorySwarm(double, bound, chain)
    allowed = await memory.submit(bound, name="double")
    refused = await memory.submit(bound, name="chain")
    missing = await memory.submit(bound, name="nowhere")
    await memory.settle_down()
    assert (await memory.see(allowed)).result() == 2
    error = (await memory.see(refused)).record.error
    assert error["data"]["type"] == "UndeclaredCall"
    assert "'bound' may not call 'chain'" in error["message"]
    assert "declare calls=['chain', 'double', 'total']" in error["message"]
    assert (await memory.see(missing)).record.error["data"]["type"] == "UnknownAgent"
    assert RUNS.count("bound 1") == 4  # two of "double", one of each other: none is tried again
    assert "bound 2" not in RUNS


async def test_an_agent_is_called_as_itself():
    @agent
    async def caller(*, ctx: TaskContext) -> list[int]:
        one = await ctx.call(double, n=1)
        return [one, *await ctx.gather(ctx.task(double, n=2)), *await ctx.map(double, [{"n": 3}])]

    memory = MemorySwarm(double, caller)
    task = await memory.submit(caller)
    await memory.settle_down()
    assert (await memory.see(task)).result() == [2, 4, 6]
