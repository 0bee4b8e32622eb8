"""After its deadline no run of a task begins; whatever it waits for, the wait is over then."""

from datetime import UTC, datetime, timedelta

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Limit, Retry, TaskContext, agent
from sqswarm.dispatcher.deadline import deadline_of, deadline_text
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol.limit import slots_key, take
from sqswarm.schemas.task import iso, wait_limit_ms

RAN: list[str] = []
UNDONE: list[str] = []


@agent(timeout=20, limit=Limit(1))
async def plain(n: int) -> int:
    RAN.append("plain")
    return n


@agent(timeout=20, max_attempts=9)
async def stubborn(*, ctx: TaskContext) -> None:
    RAN.append(f"attempt {ctx.attempt}")
    raise Retry("again", after=20)


@agent(timeout=20)
async def waiting(kind: str, *, ctx: TaskContext) -> str:
    async def work() -> str:
        return "done"

    async def undo(outcome: str) -> None:
        UNDONE.append(outcome)

    await ctx.step("work", work, undo=undo)
    match kind:
        case "asks":
            return await ctx.ask("go", "?", str)
        case "receives":
            return await ctx.receive("topic", str)
        case "sleeps":
            await ctx.sleep(7200)
    return kind


@agent(timeout=20, calls=["waiting"])
async def parent(*, ctx: TaskContext) -> str:
    return await ctx.call("waiting", kind="asks")


@pytest.fixture
def memory():
    RAN.clear()
    UNDONE.clear()
    return MemorySwarm(plain, stubborn, waiting, parent)


async def run_for(memory, *, seconds):
    for _ in range(seconds):
        await memory.settle_down()
        memory.clock.advance(seconds=1)


async def ends_by_its_deadline(memory, task_id):
    seen = await memory.see(task_id)
    return seen.status is Status.FAILED and seen.record.error_type == "DeadlineExceeded"


async def test_a_task_that_comes_too_late_does_not_run(memory):
    task_id = await memory.submit(plain, {"deadline": 30}, n=1)
    memory.clock.advance(seconds=31)
    await memory.settle_down()
    assert await ends_by_its_deadline(memory, task_id)
    assert RAN == []


async def test_a_task_that_comes_in_time_runs(memory):
    task_id = await memory.submit(plain, {"deadline": 30}, n=1)
    await memory.settle_down()
    memory.clock.advance(seconds=60)
    assert (await memory.see(task_id)).result() == 1


async def test_no_attempt_begins_after_the_deadline(memory):
    task_id = await memory.submit(stubborn, {"deadline": 30})
    await run_for(memory, seconds=60)
    assert await ends_by_its_deadline(memory, task_id)
    assert RAN == ["attempt 1", "attempt 2"]


@pytest.mark.parametrize("kind", ["asks", "receives", "sleeps"])
async def test_a_wait_is_over_with_the_deadline_and_what_was_done_is_undone(memory, kind):
    task_id = await memory.submit(waiting, {"deadline": 300}, kind=kind)
    await memory.housekeep(minutes=4)
    assert not (await memory.see(task_id)).status.terminal
    await memory.housekeep(minutes=3)
    assert await ends_by_its_deadline(memory, task_id)
    assert UNDONE == ["done"]


async def test_children_have_their_parents_deadline(memory):
    task_id = await memory.submit(parent, {"deadline": 300})
    await memory.housekeep(minutes=8)
    assert await ends_by_its_deadline(memory, task_id)
    errors = [i.get("error_type") for k, i in memory.store.items.items() if k.sk == "task"]
    assert errors == ["DeadlineExceeded"] * 2


async def test_a_repeat_by_its_key_keeps_the_first_deadline(memory):
    first = await memory.submit(plain, {"deadline": 300, "idempotency_key": "k"}, n=1)
    memory.clock.advance(seconds=5)
    assert await memory.submit(plain, {"deadline": 300, "idempotency_key": "k"}, n=1) == first
    await memory.settle_down()
    assert (await memory.see(first)).result() == 1
    assert await memory.letters(plain) == []


async def test_a_task_whose_time_is_over_waits_for_no_slot(memory):
    now_ms = memory.clock.now_ms()
    key = slots_key("plain", "")
    write, _ = take(key, None, ["other"], count=1, now_ms=now_ms, until_ms=now_ms + 60_000)
    await memory.store.write(write)
    task_id = await memory.submit(plain, {"deadline": 3}, n=2)
    memory.clock.advance(seconds=4)
    await memory.work(plain, limit=10)
    assert await ends_by_its_deadline(memory, task_id)


NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("deadline", "at_ms"),
    [
        (60, NOW_MS + 60_000),
        (0.5, NOW_MS + 500),
        (timedelta(minutes=2), NOW_MS + 120_000),
        (datetime.fromtimestamp(NOW_MS / 1000 + 9, UTC), NOW_MS + 9000),
        (deadline_of("15m"), NOW_MS + 900_000),
        (deadline_of(iso(NOW_MS + 7000)), NOW_MS + 7000),
        (deadline_of(iso(NOW_MS + 7000)[:-1]), NOW_MS + 7000),
    ],
)
def test_what_a_deadline_may_be(deadline, at_ms):
    text = deadline_text(deadline, now_ms=NOW_MS)
    assert text == iso(at_ms)
    assert wait_limit_ms(text) == at_ms + 5000


@pytest.mark.parametrize(
    "deadline",
    [0, -1, float("nan"), float("inf"), True, "soon", datetime(2100, 1, 1), 10**12],
)
def test_what_is_no_deadline(deadline):
    with pytest.raises(UsageError, match="deadline"):
        deadline_text(deadline, now_ms=NOW_MS)


def test_a_task_may_not_be_delayed_past_its_deadline():
    with pytest.raises(UsageError, match="before the task could begin"):
        deadline_text(60, now_ms=NOW_MS, delay_s=60)
    with pytest.raises(UsageError, match="is no time"):
        deadline_of("soon")


def test_a_deadline_from_elsewhere_that_is_no_time_ends_no_wait():
    assert wait_limit_ms("2026-99-99T99:99:99Z") is None
