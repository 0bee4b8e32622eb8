"""Steps: each outcome is recorded once, under the fence, and replayed afterwards."""

import asyncio
import threading

import pytest
from memory_swarm import House
from pydantic import BaseModel

from sqswarm import Retry, StepFailed, TaskContext, agent
from sqswarm.schemas.errors import TaskFailed, Unreachable
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import RECORD_INLINE_LIMIT_BYTES
from sqswarm.workers.runtime.batch import Runtime

RAN: list[str] = []
CALLS: list[str] = []
FAIL_AT: set[str] = set()


class Page(BaseModel):
    url: str
    words: int


@pytest.fixture(autouse=True)
def _fresh():
    RAN.clear()
    CALLS.clear()
    FAIL_AT.clear()
    CALLS.extend("abc")


async def work_on(name: str) -> str:
    RAN.append(name)
    if name in FAIL_AT:
        FAIL_AT.discard(name)
        raise ConnectionError(name)
    return name.upper()


def fetch(url: str) -> Page:
    RAN.append(threading.current_thread().name)
    return Page(url=url, words=3)


@agent(timeout=20, max_attempts=3)
async def series(*, ctx: TaskContext) -> str:
    return "".join([await ctx.step(name, work_on, name) for name in list(CALLS)])


@agent(timeout=20)
async def beside(*, ctx: TaskContext) -> str:
    return "".join(await asyncio.gather(*(ctx.step("part", work_on, n) for n in "abc")))


@agent(timeout=20)
async def typed(*, ctx: TaskContext) -> str:
    page = await ctx.step("fetch", fetch, "u")
    if ctx.attempt == 1:
        raise ConnectionError
    return f"{type(page).__name__} {page.words}"


@agent(timeout=20)
async def large(*, ctx: TaskContext) -> int:
    text = await ctx.step("big", lambda: "x" * (RECORD_INLINE_LIMIT_BYTES + 1))
    if ctx.attempt == 1:
        raise ConnectionError
    return len(text)


@agent(timeout=20)
async def stubborn(*, ctx: TaskContext) -> str:
    return await ctx.step("flaky", work_on, "flaky", retries=2)


@agent(timeout=20)
async def falls_back(*, waits: bool, ctx: TaskContext) -> str:
    try:
        first = await ctx.step("first", work_on, "first")
    except StepFailed as error:
        if waits:
            await ctx.sleep(60)
        first = await ctx.step("second", work_on, f"second after {error.error_type}")
    return first + await ctx.step("last", work_on, "last")


@agent(timeout=20)
async def ignores_everything(*, ctx: TaskContext) -> str:
    try:
        return await ctx.step("a", work_on, "a")
    except Exception:
        return "took another way"


@agent(timeout=20, durability="lean")
async def lean(*, ctx: TaskContext) -> str:
    return await ctx.step("a", work_on, "a")


@agent(timeout=20)
async def odd(*, ctx: TaskContext) -> str:
    return await ctx.step("odd", object)


AGENTS = (series, beside, falls_back, ignores_everything, typed, large, stubborn, lean, odd)


@pytest.fixture
def house():
    return House(*AGENTS)


async def again(house, one):
    house.clock.advance(seconds=60)
    await house.work(one)


async def test_a_later_attempt_replays_what_is_recorded(house):
    FAIL_AT.add("c")
    task_id = await house.submit(series)
    await house.work(series)
    assert RAN == ["a", "b", "c"]
    await again(house, series)
    assert RAN == ["a", "b", "c", "c"]
    assert (await house.see(task_id)).result() == "ABC"


async def test_steps_of_one_name_side_by_side_keep_their_own_outcomes(house):
    FAIL_AT.add("b")
    task_id = await house.submit(beside)
    await house.work(beside)
    await again(house, beside)
    assert (await house.see(task_id)).result() == "ABC"
    assert sorted(RAN) in (["a", "b", "b", "c"], ["a", "b", "b", "c", "c"])


@pytest.mark.parametrize("waits", [False, True], ids=["then-a-step", "then-a-sleep"])
async def test_a_failure_that_the_agent_went_on_past_is_replayed_like_an_outcome(house, waits):
    FAIL_AT.update({"first", "last"})
    task_id = await house.submit(falls_back, waits=waits)
    for _ in range(4):
        await house.work(falls_back)
        house.clock.advance(seconds=70)
    assert (await house.see(task_id)).result() == "SECOND AFTER CONNECTIONERRORLAST"
    assert RAN == ["first", "second after ConnectionError", "last", "last"]


async def test_an_agent_cannot_swallow_an_error_of_the_table(house):
    task_id = await house.submit(ignores_everything)
    house.store.crash_before = "step"
    await house.work(ignores_everything)
    assert (await house.see(task_id)).status is Status.WORKING
    await again(house, ignores_everything)
    assert (await house.see(task_id)).result() == "A"


async def test_a_plain_function_runs_on_a_thread_and_its_type_survives_the_replay(house):
    task_id = await house.submit(typed)
    await house.work(typed)
    await again(house, typed)
    assert (await house.see(task_id)).result() == "Page 3"
    assert len(RAN) == 1
    assert RAN[0] != threading.main_thread().name


async def test_a_large_outcome_is_a_claim_check(house):
    task_id = await house.submit(large)
    await house.work(large)
    assert any("/step-" in address for address in house.blobs.objects)
    await again(house, large)
    assert (await house.see(task_id)).result() == RECORD_INLINE_LIMIT_BYTES + 1


async def test_a_step_retries_by_itself(house):
    FAIL_AT.add("flaky")
    task_id = await house.submit(stubborn)
    await house.work(stubborn)
    seen = await house.see(task_id)
    assert (seen.result(), seen.record.attempt) == ("FLAKY", 1)
    assert RAN == ["flaky", "flaky"]


@pytest.mark.parametrize(
    ("now", "says"),
    [
        pytest.param("axc", "operation 2 is 'step x#0', where 'step b#0' is recorded", id="other"),
        pytest.param("a", "ended without 'step b#0', .* as operation 2", id="fewer"),
        pytest.param("bac", "operation 3 is 'step c#0'|^$", id="another-order-finds-its-own"),
    ],
)
async def test_a_replay_that_meets_other_names_fails_with_the_first_difference(house, now, says):
    FAIL_AT.add("c")
    task_id = await house.submit(series)
    await house.work(series)
    CALLS[:] = list(now)
    await again(house, series)
    seen = await house.see(task_id)
    if says.endswith("^$"):
        assert seen.result() == "BAC"
        return
    with pytest.raises(TaskFailed, match=f"NonDeterministic: .*{says}"):
        seen.result()


async def test_a_lean_task_has_no_steps_and_says_so(house):
    task_id = await house.submit(lean)
    await house.work(lean)
    with pytest.raises(TaskFailed, match="NeedsRecord: step 'a' needs a record"):
        (await house.see(task_id)).result()


async def test_an_outcome_that_is_no_json_fails_the_task(house):
    task_id = await house.submit(odd)
    await house.work(odd)
    with pytest.raises(TaskFailed, match="InvalidStep: step 'odd#0' returned what cannot be"):
        (await house.see(task_id)).result()


async def test_a_zombie_cannot_record_a_step_after_its_lease_was_taken(house):
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slow(name: str) -> str:
        if not started.is_set():
            started.set()
            await go_on.wait()
            return "zombie"
        return "heir"

    @agent(name="series", timeout=20)
    async def slowly(*, ctx: TaskContext) -> str:
        return await ctx.step("a", slow, "a")

    task_id = await house.submit(series)
    queue = house.queue(series)
    [delivery] = await house.bus.receive(queue, limit=1, wait_s=0)
    zombie = asyncio.create_task(Runtime(house.station(slowly)).handle([delivery]))
    await started.wait()
    house.clock.advance(seconds=400)
    [delivery] = await house.bus.receive(queue, limit=1, wait_s=0)
    await Runtime(house.station(slowly)).handle([delivery])
    go_on.set()
    await zombie
    assert (await house.see(task_id)).result() == "heir"
    [step] = [item for key, item in house.store.items.items() if key.sk.startswith("step#")]
    assert '"heir"' in step["outcome"]
    assert "lease.lost" in house.log.getvalue()


async def test_retry_raised_in_a_step_says_when(house):
    waits = []

    async def busy() -> None:
        waits.append(house.clock.now_ms())
        raise Retry("busy", after=30)

    @agent(name="series", timeout=20)
    async def patient(*, ctx: TaskContext) -> None:
        await ctx.step("busy", busy, retries=1)

    await house.submit(series)
    [delivery] = await house.bus.receive(house.queue(series), limit=1, wait_s=0)
    await Runtime(house.station(patient)).handle([delivery])
    assert waits[1] - waits[0] == 30_000


async def test_a_cancelled_task_tells_its_running_attempt_at_the_next_step(house):
    from sqswarm.dispatcher.lifecycle.cancel import cancel

    seen: list[object] = []

    @agent(name="series", timeout=20)
    async def watched(*, ctx: TaskContext) -> str:
        seen.append(await ctx.cancelled())
        await cancel(house.desk, ctx.task_id)
        seen.append(await ctx.cancelled())  # looked a moment ago
        house.clock.advance(seconds=2)
        seen.append(await ctx.cancelled())
        try:
            await ctx.step("a", work_on, "a")
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        return "never"

    task_id = await house.submit(series)
    [delivery] = await house.bus.receive(house.queue(series), limit=1, wait_s=0)
    result = await Runtime(house.station(watched)).handle([delivery])
    assert seen == [False, False, True, "AttemptCancelled"]
    assert result.delete == [delivery.receipt]
    assert (await house.see(task_id)).status is Status.CANCELLED


async def test_an_error_of_the_table_after_the_agents_end_is_retried_and_not_waited_for(house):
    """The look at what is recorded that ends a later attempt: nobody is there to end its wait."""

    @agent(name="series", timeout=20, max_attempts=3)
    async def third_time(*, ctx: TaskContext) -> str:
        if ctx.attempt == 1:
            raise Retry("once more", after=1)
        return "done"

    async def unreachable(pk, *, after_sk=""):
        raise Unreachable("throttled")

    task_id = await house.submit(series)
    runtime = Runtime(house.station(third_time))
    [delivery] = await house.bus.receive(house.queue(series), limit=1, wait_s=0)
    await runtime.handle([delivery])
    house.clock.advance(seconds=2)
    read_group, house.store.read_group = house.store.read_group, unreachable
    [delivery] = await house.bus.receive(house.queue(series), limit=1, wait_s=0)
    async with asyncio.timeout(5):
        result = await runtime.handle([delivery])
    assert result.keep == [delivery.message_id]
    house.store.read_group = read_group
    house.clock.advance(seconds=10)
    [delivery] = await house.bus.receive(house.queue(series), limit=1, wait_s=0)
    await runtime.handle([delivery])
    assert (await house.see(task_id)).result() == "done"
