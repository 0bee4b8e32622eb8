"""MemorySwarm: Swarm's names, virtual time, faults."""

import asyncio
import time
from dataclasses import dataclass

import pytest

from sqswarm import Fail, TaskContext, agent
from sqswarm.schemas.errors import InputRequired, InvalidArguments, TaskFailed, TimedOut
from sqswarm.testing import Duplicate, Failure, Kill, MemorySwarm, Throttle, kill_everywhere

CHARGED: list[str] = []


@dataclass
class Approval:
    ok: bool


@agent
async def weigh(item: str) -> int:
    return len(item)


@agent
def shout(text: str) -> str:
    return text.upper()


@agent(timeout=60, calls=["weigh"])
async def order(items: list[str], *, ctx: TaskContext) -> dict[str, object]:
    weights = await ctx.map("weigh", [{"item": item} for item in items])
    said = await ctx.ask("approve", f"Send {sum(weights)}?", Approval)
    if not said.ok:
        raise Fail("nobody wants it")
    paid = await ctx.step("charge", charge, sum(weights))
    await ctx.sleep(30 * 24 * 3600)
    return {"weight": sum(weights), "paid": paid}


def charge(amount: int) -> str:
    CHARGED.append(f"charge {amount}")
    return f"paid {amount}"


AGENTS = [weigh, order, shout]


@pytest.fixture
def memory():
    with MemorySwarm(AGENTS) as memory:
        yield memory


def buy(memory):
    task = memory.submit(order, items=["pen", "paper"])
    memory.run()
    task.answer("approve", {"ok": True})
    return task.result()


def test_thirty_days_of_sleep_take_less_than_fifty_milliseconds():
    @agent
    async def nap(*, ctx: TaskContext) -> int:
        await ctx.sleep(30 * 24 * 3600)
        return 1

    took_s = []
    with MemorySwarm(nap) as memory:
        for _ in range(5):
            began, before = time.process_time(), memory.clock.now_ms()
            task = memory.submit(nap)
            memory.run()
            assert task.result() == 1
            took_s.append(time.process_time() - began)
            assert memory.clock.now_ms() - before >= 30 * 24 * 3600 * 1000
    assert min(took_s) < 0.05, took_s


def test_a_question_stays_open_until_it_is_answered(memory):
    task = memory.submit("order", items=["pen"])
    memory.run()
    assert task.status() == "input_required"
    assert [one.id for one in memory.inbox()] == [task.id]
    with pytest.raises(InputRequired, match="asks 'approve'"):
        task.result()
    task.answer("approve", {"ok": False})
    with pytest.raises(TaskFailed, match="nobody wants it"):
        task.result()


def test_the_story_ends_alike_wherever_its_worker_is_killed():
    result = kill_everywhere(buy, AGENTS)
    assert result == {"weight": 8, "paid": "paid 8"}


def test_a_plain_function_runs_on_a_thread(memory):
    assert memory.submit(shout, text="hey").result() == "HEY"


async def test_it_works_within_a_running_loop(memory):
    assert memory.submit(shout, text="hey").result() == "HEY"
    assert await asyncio.to_thread(memory.submit(weigh, item="four").result) == 4


def test_a_map_streams_its_results_in_order(memory):
    done = memory.map(weigh, [{"item": "x" * n} for n in range(25)])
    assert [one.value for one in done] == list(range(25))


def test_wrong_arguments_are_refused_at_once(memory):
    with pytest.raises(InvalidArguments):
        memory.submit(weigh, item=3)


@pytest.mark.parametrize(
    ("kill", "charged"),
    [
        pytest.param(Kill(before="charge"), 1, id="before"),
        pytest.param(Kill(during="charge"), 2, id="during"),
        pytest.param(Kill(after="charge"), 1, id="after"),
        pytest.param(Kill(after="ask approve"), 1, id="asked"),
        pytest.param(Kill(before="settle", agent="order"), 1, id="settle"),
    ],
)
def test_a_kill_hits_the_moment_that_it_names(kill, charged):
    CHARGED.clear()
    with MemorySwarm(AGENTS, faults=[kill]) as memory:
        assert buy(memory) == {"weight": 8, "paid": "paid 8"}
        assert not memory.faults.left
    assert len(CHARGED) == charged


@pytest.mark.parametrize(
    ("fault", "charged"),
    [
        pytest.param(Failure(before="charge", times=2), 1, id="failed"),
        pytest.param(Failure(after="charge"), 2, id="failed-afterwards"),
        pytest.param(Throttle(of="charge", times=2), 3, id="throttled"),
        pytest.param(Throttle(times=2), 1, id="anything-throttled"),
        pytest.param(Failure(after="settle"), 1, id="answer-lost"),
        pytest.param(Duplicate(), 1, id="delivered-twice"),
        pytest.param(Duplicate(agent="weigh", copies=3), 1, id="delivered-often"),
    ],
)
def test_a_fault_changes_no_result(fault, charged):
    CHARGED.clear()
    with MemorySwarm(AGENTS, faults=[fault]) as memory:
        assert buy(memory) == {"weight": 8, "paid": "paid 8"}
        assert not memory.faults.left
    assert len(CHARGED) == charged


def test_a_late_duplicate_changes_nothing(memory):
    CHARGED.clear()
    task = memory.submit(order, items=["pen"])
    memory.run()
    task.redelivered()
    task.answer("approve", {"ok": True})
    task.result()
    task.redelivered()
    memory.run()
    assert len(CHARGED) == 1


def test_time_that_is_given_passes_and_no_more():
    @agent
    async def waits(*, ctx: TaskContext) -> str:
        said = await ctx.ask("sure", "?", Approval, timeout=3600, on_timeout=Approval(ok=False))
        return str(said.ok)

    with MemorySwarm(waits) as memory:
        task = memory.submit(waits)
        memory.run()
        memory.run(minutes=59)
        assert task.status() == "input_required"
        memory.run(minutes=3)
        assert task.result() == "False"


def test_a_result_within_a_time_is_waited_for_in_virtual_time():
    @agent(timeout=600)
    async def slow(*, ctx: TaskContext) -> int:
        await asyncio.sleep(300)
        return 1

    with MemorySwarm(slow) as memory:
        task = memory.submit(slow)
        with pytest.raises(TimedOut):
            task.result(timeout=100)
        assert task.result(timeout=250) == 1


def test_what_never_fits_ends_as_a_dead_letter():
    @agent(max_attempts=2)
    async def broken() -> int:
        raise KeyError("x")

    with MemorySwarm(broken) as memory:
        task = memory.submit(broken)
        memory.run()
        assert isinstance(task.error(), TaskFailed)
        assert len(memory.dead_letters(broken)) == 1
        assert "KeyError" in memory.report()


@agent(name="order", calls=["weigh"])
async def hasty(items: list[str], *, ctx: TaskContext) -> str:
    weights = await ctx.map("weigh", [{"item": item} for item in items])
    paid = await ctx.step("charge", charge, sum(weights))  # before anybody was asked
    await ctx.ask("approve", "Send it?", Approval)
    return paid


@agent(name="order", calls=["weigh"])
async def kinder(items: list[str], *, ctx: TaskContext) -> str:
    return f"thank you for {(await order.function(items, ctx=ctx))['weight']}"


def test_what_waits_goes_on_with_the_code_that_is_deployed(memory):
    task = memory.submit("order", items=["pen"])  # `kinder` returns another type than `order`
    memory.run()
    memory.deploy(kinder)
    task.answer("approve", {"ok": True})
    assert task.result() == "thank you for 3"


def test_a_swapped_step_parks_the_task_with_its_place(memory):
    CHARGED.clear()
    task = memory.submit(order, items=["pen"])
    memory.run()
    memory.deploy(hasty)
    task.answer("approve", {"ok": True})
    memory.run()
    parked = memory.get(task.id).record.parked_now
    assert parked["why"].endswith("2 is 'step charge#0', where 'ask approve' is recorded")
    places = (parked["place"], parked["recorded"], parked["got"])
    assert places == (2, "ask approve", "step charge#0")
    assert not CHARGED
    memory.deploy(order)
    assert task.result()
