"""Steps: each outcome is recorded once, under the fence, and replayed afterwards."""

import asyncio
import re
import threading

import pytest
from memory_swarm import MemorySwarm
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
def memory():
    return MemorySwarm(*AGENTS)


async def again(memory, one):
    memory.clock.advance(seconds=60)
    await memory.work(one)


async def test_a_later_attempt_replays_what_is_recorded(memory):
    FAIL_AT.add("c")
    task_id = await memory.submit(series)
    await memory.work(series)
    assert RAN == ["a", "b", "c"]
    await again(memory, series)
    assert RAN == ["a", "b", "c", "c"]
    assert (await memory.see(task_id)).result() == "ABC"


async def test_steps_of_one_name_side_by_side_keep_their_own_outcomes(memory):
    FAIL_AT.add("b")
    task_id = await memory.submit(beside)
    await memory.work(beside)
    await again(memory, beside)
    assert (await memory.see(task_id)).result() == "ABC"
    assert sorted(RAN) in (["a", "b", "b", "c"], ["a", "b", "b", "c", "c"])


@pytest.mark.parametrize("waits", [False, True], ids=["then-a-step", "then-a-sleep"])
async def test_a_failure_that_the_agent_went_on_past_is_replayed_like_an_outcome(memory, waits):
    FAIL_AT.update({"first", "last"})
    task_id = await memory.submit(falls_back, waits=waits)
    for _ in range(4):
        await memory.work(falls_back)
        memory.clock.advance(seconds=70)
    assert (await memory.see(task_id)).result() == "SECOND AFTER CONNECTIONERRORLAST"
    assert RAN == ["first", "second after ConnectionError", "last", "last"]


async def test_an_agent_cannot_swallow_an_error_of_the_table(memory):
    task_id = await memory.submit(ignores_everything)
    memory.store.crash_before = "step"
    await memory.work(ignores_everything)
    assert (await memory.see(task_id)).status is Status.WORKING
    await again(memory, ignores_everything)
    assert (await memory.see(task_id)).result() == "A"


async def test_a_plain_function_runs_on_a_thread_and_its_type_survives_the_replay(memory):
    task_id = await memory.submit(typed)
    await memory.work(typed)
    await again(memory, typed)
    assert (await memory.see(task_id)).result() == "Page 3"
    assert len(RAN) == 1
    assert RAN[0] != threading.main_thread().name


async def test_a_large_outcome_is_a_claim_check(memory):
    task_id = await memory.submit(large)
    await memory.work(large)
    assert any("/step-" in address for address in memory.blobs.objects)
    await again(memory, large)
    assert (await memory.see(task_id)).result() == RECORD_INLINE_LIMIT_BYTES + 1


async def test_a_step_retries_by_itself(memory):
    FAIL_AT.add("flaky")
    task_id = await memory.submit(stubborn)
    await memory.work(stubborn)
    seen = await memory.see(task_id)
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
async def test_a_replay_that_meets_other_names_parks_its_task_at_the_first(memory, now, says):
    FAIL_AT.add("c")
    task_id = await memory.submit(series)
    await memory.work(series)
    CALLS[:] = list(now)
    await again(memory, series)
    seen = await memory.see(task_id)
    if says.endswith("^$"):
        assert seen.result() == "BAC"
        return
    assert seen.status is Status.WORKING
    assert re.search(says, seen.record.parked_now["why"])


async def test_a_lean_task_has_no_steps_and_says_so(memory):
    task_id = await memory.submit(lean)
    await memory.work(lean)
    with pytest.raises(TaskFailed, match="NeedsRecord: step 'a' needs a record"):
        (await memory.see(task_id)).result()


async def test_an_outcome_that_is_no_json_fails_the_task(memory):
    task_id = await memory.submit(odd)
    await memory.work(odd)
    with pytest.raises(TaskFailed, match="InvalidStep: step 'odd#0' returned what cannot be"):
        (await memory.see(task_id)).result()


async def test_a_zombie_cannot_record_a_step_after_its_lease_was_taken(memory):
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

    task_id = await memory.submit(series)
    queue = memory.queue(series)
    [delivery] = await memory.bus.receive(queue, limit=1, wait_s=0)
    zombie = asyncio.create_task(Runtime(memory.worker(slowly)).handle([delivery]))
    await started.wait()
    memory.clock.advance(seconds=400)
    [delivery] = await memory.bus.receive(queue, limit=1, wait_s=0)
    await Runtime(memory.worker(slowly)).handle([delivery])
    go_on.set()
    await zombie
    assert (await memory.see(task_id)).result() == "heir"
    [step] = [item for key, item in memory.store.items.items() if key.sk.startswith("step#")]
    assert '"heir"' in step["outcome"]
    assert "lease.lost" in memory.log.getvalue()


async def test_retry_raised_in_a_step_says_when(memory):
    waits = []

    async def busy() -> None:
        waits.append(memory.clock.now_ms())
        raise Retry("busy", after=30)

    @agent(name="series", timeout=20)
    async def patient(*, ctx: TaskContext) -> None:
        await ctx.step("busy", busy, retries=1)

    await memory.submit(series)
    [delivery] = await memory.bus.receive(memory.queue(series), limit=1, wait_s=0)
    await Runtime(memory.worker(patient)).handle([delivery])
    assert waits[1] - waits[0] == 30_000


async def test_a_cancelled_task_tells_its_running_attempt_at_the_next_step(memory):
    from sqswarm.dispatcher.lifecycle.cancel import cancel

    seen: list[object] = []

    @agent(name="series", timeout=20)
    async def watched(*, ctx: TaskContext) -> str:
        seen.append(await ctx.cancelled())
        await cancel(memory.connection, ctx.task_id)
        seen.append(await ctx.cancelled())  # looked a moment ago
        memory.clock.advance(seconds=2)
        seen.append(await ctx.cancelled())
        try:
            await ctx.step("a", work_on, "a")
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        return "never"

    task_id = await memory.submit(series)
    [delivery] = await memory.bus.receive(memory.queue(series), limit=1, wait_s=0)
    result = await Runtime(memory.worker(watched)).handle([delivery])
    assert seen == [False, False, True, "AttemptCancelled"]
    assert result.delete == [delivery.receipt]
    assert (await memory.see(task_id)).status is Status.CANCELLED


async def test_an_error_of_the_table_after_the_agents_end_is_retried_and_not_waited_for(memory):
    """The look at what is recorded that ends a later attempt: nobody is there to end its wait."""

    @agent(name="series", timeout=20, max_attempts=3)
    async def third_time(*, ctx: TaskContext) -> str:
        if ctx.attempt == 1:
            raise Retry("once more", after=1)
        return "done"

    async def unreachable(pk, *, after_sk=""):
        raise Unreachable("throttled")

    task_id = await memory.submit(series)
    runtime = Runtime(memory.worker(third_time))
    [delivery] = await memory.bus.receive(memory.queue(series), limit=1, wait_s=0)
    await runtime.handle([delivery])
    memory.clock.advance(seconds=2)
    read_group, memory.store.read_group = memory.store.read_group, unreachable
    [delivery] = await memory.bus.receive(memory.queue(series), limit=1, wait_s=0)
    async with asyncio.timeout(5):
        result = await runtime.handle([delivery])
    assert result.keep == [delivery.message_id]
    memory.store.read_group = read_group
    memory.clock.advance(seconds=10)
    [delivery] = await memory.bus.receive(memory.queue(series), limit=1, wait_s=0)
    await runtime.handle([delivery])
    assert (await memory.see(task_id)).result() == "done"
