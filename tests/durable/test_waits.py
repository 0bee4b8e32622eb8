"""Waiting for people and for time, without a worker."""

import asyncio
from datetime import timedelta

import pytest
from memory_swarm import MemorySwarm
from pydantic import BaseModel

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import DECLINED, answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas.errors import AskTimedOut, InvalidArguments, TaskFailed
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task_filter import TaskFilter

RUNS: list[str] = []


class Approval(BaseModel):
    ok: bool
    reason: str = ""


@pytest.fixture(autouse=True)
def _fresh():
    RUNS.clear()


@agent(timeout=20)
async def deletion(files: int, *, ctx: TaskContext) -> str:
    RUNS.append(f"run {ctx.attempt}")
    said = await ctx.ask("approve", f"Delete {files} files?", Approval)
    return f"deleted {files}" if said.ok else f"kept: {said.reason}"


@agent(timeout=20)
async def two_questions(*, ctx: TaskContext) -> list[int]:
    answers = ctx.ask("first", "One?", int), ctx.ask("second", "Two?", int)
    return list(await ctx.gather(*answers))


@agent(timeout=20)
async def impatient(*, ctx: TaskContext) -> str:
    try:
        return await ctx.ask("name", "Who?", str, timeout=3600)
    except AskTimedOut as error:
        return f"nobody answered {error.key}"


@agent(timeout=20)
async def has_a_default(*, ctx: TaskContext) -> bool:
    said = await ctx.ask("ok", "Ok?", Approval, timeout=60, on_timeout=Approval(ok=True))
    return said.ok


@agent(timeout=20)
async def asks_twice(*, ctx: TaskContext) -> list[int]:
    return [await ctx.ask("n", "N?", int), await ctx.ask("n", "N again?", int)]


@agent(max_attempts=1)
async def napper(hours: int | None, *, ctx: TaskContext) -> None:
    await ctx.sleep(hours and timedelta(hours=hours))


@agent(timeout=20, max_attempts=1)
async def sleeper(seconds: int, *, ctx: TaskContext) -> int:
    RUNS.append("before")
    start = await ctx.step("start", lambda: 1)
    await ctx.sleep(seconds)
    await ctx.sleep(seconds)
    RUNS.append("after")
    return start


@agent(timeout=20)
async def helper(n: int) -> int:
    return n + 1


@agent(timeout=20)
async def everything(*, ctx: TaskContext) -> list[object]:
    async def child() -> int:
        return await ctx.call("helper", n=1)

    async def person() -> int:
        return await ctx.ask("n", "N?", int)

    async def nap() -> str:
        await ctx.sleep(30)
        return "rested"

    return list(await asyncio.gather(child(), person(), nap()))


AGENTS = (
    napper,
    deletion,
    two_questions,
    impatient,
    has_a_default,
    asks_twice,
    sleeper,
    helper,
    everything,
)


@pytest.fixture
def memory():
    return MemorySwarm(*AGENTS)


class TestPeople:
    async def test_a_task_waits_for_an_answer_and_goes_on_with_it(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        seen = await memory.see(task_id)
        assert seen.status is Status.INPUT_REQUIRED
        [(key, request)] = seen.to_json()["inputRequests"].items()
        assert (key, request["method"]) == ("approve", "elicitation/create")
        assert request["params"]["message"] == "Delete 3 files?"
        assert request["params"]["requestedSchema"]["properties"]["ok"]["type"] == "boolean"
        assert memory.waiting(deletion) == []
        assert await answer(memory.connection, task_id, "approve", {"ok": True}) is Status.WORKING
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == "deleted 3"
        assert RUNS == ["run 1", "run 1"]

    async def test_mcp_itself_accepts_the_request(self, memory):
        from mcp.types import ElicitRequest

        task_id = await memory.submit(two_questions)
        await memory.settle_down()
        for request in (await memory.see(task_id)).to_json()["inputRequests"].values():
            ElicitRequest.model_validate(request)

    async def test_the_inbox_shows_who_waits(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.submit(helper, n=1)
        await memory.settle_down()
        wanted = TaskFilter(status=Status.INPUT_REQUIRED)
        inbox = await list_tasks(memory.connection, wanted, limit=9)
        assert [seen.id for seen in inbox] == [task_id]

    @pytest.mark.parametrize(
        ("key", "value", "says"),
        [
            ("approve", {"ok": "perhaps"}, "ok: 'perhaps' is not of type 'boolean'"),
            ("approve", {}, "'ok' is a required property"),
            ("approve", {"ok": True, "reason": "x" * 40_000}, "bytes"),
            ("other", {"ok": True}, "asks nothing called 'other'"),
        ],
    )
    async def test_a_wrong_answer_is_refused_with_the_reason(self, memory, key, value, says):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        with pytest.raises(InvalidArguments, match=says):
            await answer(memory.connection, task_id, key, value)
        assert (await memory.see(task_id)).status is Status.INPUT_REQUIRED

    async def test_several_questions_are_open_at_once_and_the_last_answer_resumes(self, memory):
        task_id = await memory.submit(two_questions)
        await memory.settle_down()
        shown = (await memory.see(task_id)).to_json()["inputRequests"]
        assert list(shown) == ["first", "second"]
        assert await answer(memory.connection, task_id, "second", 2) is Status.INPUT_REQUIRED
        shown = (await memory.see(task_id)).to_json()["inputRequests"]
        assert list(shown) == ["first"]
        assert await answer(memory.connection, task_id, "first", {"value": 1}) is Status.WORKING
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == [1, 2]

    async def test_two_last_answers_at_the_same_time_both_count_and_one_resumes(self, memory):
        task_id = await memory.submit(two_questions)
        await memory.settle_down()
        real = memory.store.write

        async def other_first(write):
            memory.store.write = real
            await answer(memory.connection, task_id, "second", 2)
            return await real(write)

        memory.store.write = other_first
        assert await answer(memory.connection, task_id, "first", 1) is Status.WORKING
        assert memory.store.counts["answer"] == 2
        assert memory.store.counts["refused answer"] == 1
        assert len(memory.waiting(two_questions)) == 1
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == [1, 2]

    async def test_a_person_may_decline_and_the_agent_is_told(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        with pytest.raises(InvalidArguments, match="asks nothing called"):
            await answer(memory.connection, task_id, "other", DECLINED)
        assert await answer(memory.connection, task_id, "approve", DECLINED) is Status.WORKING
        await memory.settle_down()
        with pytest.raises(TaskFailed, match="declined"):
            (await memory.see(task_id)).result()

    async def test_an_answer_of_an_earlier_question_cannot_slip_into_a_later(self, memory):
        task_id = await memory.submit(asks_twice)
        await memory.settle_down()
        stale = await memory.record(task_id)
        await answer(memory.connection, task_id, "n", 1)
        await memory.settle_down()
        from sqswarm.dispatcher.lifecycle.answer import record_answers

        assert await record_answers(memory.connection, stale, {"n": {"value": 7}}) is None
        await answer(memory.connection, task_id, "n#2", 2)
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == [1, 2]

    async def test_a_late_answer_is_acknowledged_and_ignored(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        await answer(memory.connection, task_id, "approve", {"ok": True})
        assert await answer(memory.connection, task_id, "approve", {"ok": False}) is Status.WORKING
        await memory.settle_down()
        assert (
            await answer(memory.connection, task_id, "approve", {"ok": False}) is Status.COMPLETED
        )
        assert (await memory.see(task_id)).result() == "deleted 3"

    async def test_cancel_and_answer_have_one_winner(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        real = memory.store.write

        async def cancel_first(write):
            memory.store.write = real
            assert await cancel(memory.connection, task_id) is Status.CANCELLED
            return await real(write)

        memory.store.write = cancel_first
        assert await answer(memory.connection, task_id, "approve", {"ok": True}) is Status.CANCELLED
        await memory.settle_down()
        assert RUNS == ["run 1"]

    async def test_a_crash_between_answer_and_publish_is_repaired(self, memory):
        task_id = await memory.submit(deletion, files=3)
        await memory.settle_down()
        memory.bus.crash_at_publish = 1
        with pytest.raises(Exception, match="publish"):
            await answer(memory.connection, task_id, "approve", {"ok": True})
        await memory.housekeep(minutes=2)
        assert (await memory.see(task_id)).result() == "deleted 3"

    async def test_nobody_answers_in_time(self, memory):
        task_id = await memory.submit(impatient)
        await memory.settle_down()
        await memory.housekeep(minutes=59)
        assert (await memory.see(task_id)).status is Status.INPUT_REQUIRED
        await memory.housekeep(minutes=2)
        assert (await memory.see(task_id)).result() == "nobody answered name"

    async def test_a_default_answers_in_time(self, memory):
        task_id = await memory.submit(has_a_default)
        await memory.settle_down()
        await memory.housekeep(minutes=2)
        assert (await memory.see(task_id)).result() is True

    async def test_a_copy_of_a_parked_tasks_message_is_deleted(self, memory):
        task_id = await memory.submit(deletion, files=3)
        [body] = memory.waiting(deletion)
        await memory.settle_down()
        before = await memory.record(task_id)
        await memory.copy(deletion, body)
        await memory.settle_down()
        assert await memory.record(task_id) == before
        assert memory.waiting(deletion) == []


class TestTime:
    async def test_a_short_sleep_is_exact_and_holds_no_worker(self, memory):
        task_id = await memory.submit(sleeper, seconds=120)
        await memory.settle_down()
        record = await memory.record(task_id)
        assert (record.phase, record.lease_until_ms) == (Phase.SLEEPING, 0)
        memory.clock.advance(seconds=119)
        await memory.settle_down()
        assert (await memory.record(task_id)).phase is Phase.SLEEPING
        memory.clock.advance(seconds=2)
        await memory.settle_down()
        memory.clock.advance(seconds=121)
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == 1
        assert RUNS == ["before", "before", "before", "after"]

    async def test_days_pass_and_housekeeping_wakes_within_its_minute(self, memory):
        task_id = await memory.submit(sleeper, seconds=2 * 86_400)
        await memory.settle_down()
        for _ in range(2):
            memory.clock.advance(seconds=2 * 86_400 - 59)
            await memory.settle_down()
            assert (await memory.record(task_id)).phase is Phase.SLEEPING
            await memory.housekeep()
        assert (await memory.see(task_id)).result() == 1

    async def test_the_timer_message_may_be_lost(self, memory):
        task_id = await memory.submit(sleeper, seconds=120)
        await memory.settle_down()
        memory.bus._queues[memory.queue(sleeper)].messages.clear()
        await memory.housekeep(minutes=3)
        await memory.housekeep(minutes=3)
        assert (await memory.see(task_id)).result() == 1

    async def test_housekeeping_and_the_timer_wake_it_once(self, memory):
        task_id = await memory.submit(sleeper, seconds=120)
        await memory.settle_down()
        memory.clock.advance(seconds=121)
        await memory.housekeeper.sweep()
        await memory.settle_down()
        assert memory.store.counts["wake"] == 1
        await memory.housekeep(minutes=3)
        assert (await memory.see(task_id)).result() == 1
        assert RUNS == ["before", "before", "before", "after"]

    async def test_a_sleeper_can_be_cancelled(self, memory):
        task_id = await memory.submit(sleeper, seconds=120)
        await memory.settle_down()
        assert await cancel(memory.connection, task_id) is Status.CANCELLED
        await memory.housekeep(minutes=5)
        assert RUNS == ["before"]

    @pytest.mark.parametrize("delay", [0, 900, 901, 86_400])
    async def test_a_delayed_task_starts_when_it_should(self, memory, delay):
        task_id = await memory.submit(helper, {"delay_s": delay}, n=1)
        memory.clock.advance(seconds=delay - 1)
        await memory.settle_down()
        await memory.housekeeper.sweep()
        await memory.settle_down()
        if delay:
            assert not memory.kept or ((await memory.record(task_id)).phase is Phase.SLEEPING)
        await memory.housekeep(minutes=1)
        assert (await memory.see(task_id)).result() == 2

    async def test_a_sleep_may_be_a_timedelta(self, memory):
        task_id = await memory.submit(napper, hours=2)
        await memory.housekeep(minutes=119)
        assert (await memory.see(task_id)).status is Status.WORKING
        await memory.housekeep(minutes=2)
        assert (await memory.see(task_id)).status is Status.COMPLETED

    async def test_a_sleep_of_no_length_fails_the_task(self, memory):
        task_id = await memory.submit(napper, hours=None)
        await memory.settle_down()
        with pytest.raises(TaskFailed, match="no length of a sleep"):
            (await memory.see(task_id)).result()

    async def test_a_negative_sleep_fails_the_task(self, memory):
        task_id = await memory.submit(sleeper, seconds=-1)
        await memory.settle_down()
        with pytest.raises(TaskFailed, match="InvalidSleep"):
            (await memory.see(task_id)).result()


async def test_children_people_and_time_side_by_side_all_arrive(memory):
    task_id = await memory.submit(everything)
    await memory.settle_down()
    assert (await memory.see(task_id)).status is Status.INPUT_REQUIRED
    await answer(memory.connection, task_id, "n", 5)
    await memory.settle_down()
    assert (await memory.record(task_id)).phase is Phase.SLEEPING
    memory.clock.advance(seconds=31)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == [2, 5, "rested"]
