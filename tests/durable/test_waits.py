"""Waiting for people and for time, without a worker."""

import asyncio

import pytest
from memory_swarm import House
from pydantic import BaseModel

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.view import listing
from sqswarm.schemas.errors import AskTimedOut, InvalidArguments, TaskFailed
from sqswarm.schemas.lifecycle import Phase, Status

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
def house():
    return House(*AGENTS)


class TestPeople:
    async def test_a_task_waits_for_an_answer_and_goes_on_with_it(self, house):
        task_id = await house.submit(deletion, files=3)
        await house.settle_down()
        seen = await house.see(task_id)
        assert seen.status is Status.INPUT_REQUIRED
        [(key, request)] = seen.to_json()["inputRequests"].items()
        assert (key, request["method"]) == ("approve", "elicitation/create")
        assert request["params"]["message"] == "Delete 3 files?"
        assert request["params"]["requestedSchema"]["properties"]["ok"]["type"] == "boolean"
        assert house.waiting(deletion) == []
        assert await answer(house.desk, task_id, "approve", {"ok": True}) is Status.WORKING
        await house.settle_down()
        assert (await house.see(task_id)).result() == "deleted 3"
        assert RUNS == ["run 1", "run 1"]

    async def test_mcp_itself_accepts_the_request(self, house):
        from mcp.types import ElicitRequest

        task_id = await house.submit(two_questions)
        await house.settle_down()
        for request in (await house.see(task_id)).to_json()["inputRequests"].values():
            ElicitRequest.model_validate(request)

    async def test_the_inbox_shows_who_waits(self, house):
        task_id = await house.submit(deletion, files=3)
        await house.submit(helper, n=1)
        await house.settle_down()
        inbox = await listing(house.desk, status=Status.INPUT_REQUIRED, agent=None, limit=9)
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
    async def test_a_wrong_answer_is_refused_with_the_reason(self, house, key, value, says):
        task_id = await house.submit(deletion, files=3)
        await house.settle_down()
        with pytest.raises(InvalidArguments, match=says):
            await answer(house.desk, task_id, key, value)
        assert (await house.see(task_id)).status is Status.INPUT_REQUIRED

    async def test_several_questions_are_open_at_once_and_the_last_answer_resumes(self, house):
        task_id = await house.submit(two_questions)
        await house.settle_down()
        shown = (await house.see(task_id)).to_json()["inputRequests"]
        assert list(shown) == ["first", "second"]
        assert await answer(house.desk, task_id, "second", 2) is Status.INPUT_REQUIRED
        shown = (await house.see(task_id)).to_json()["inputRequests"]
        assert list(shown) == ["first"]
        assert await answer(house.desk, task_id, "first", {"value": 1}) is Status.WORKING
        await house.settle_down()
        assert (await house.see(task_id)).result() == [1, 2]

    async def test_two_last_answers_at_the_same_time_both_count_and_one_resumes(self, house):
        task_id = await house.submit(two_questions)
        await house.settle_down()
        real = house.store.write

        async def other_first(write):
            house.store.write = real
            await answer(house.desk, task_id, "second", 2)
            return await real(write)

        house.store.write = other_first
        assert await answer(house.desk, task_id, "first", 1) is Status.WORKING
        assert house.store.counts["answer"] == 2
        assert house.store.counts["refused answer"] == 1
        assert len(house.waiting(two_questions)) == 1
        await house.settle_down()
        assert (await house.see(task_id)).result() == [1, 2]

    async def test_an_answer_of_an_earlier_question_cannot_slip_into_a_later(self, house):
        task_id = await house.submit(asks_twice)
        await house.settle_down()
        stale = await house.record(task_id)
        await answer(house.desk, task_id, "n", 1)
        await house.settle_down()
        from sqswarm.dispatcher.lifecycle.answer import give

        assert await give(house.desk, stale, {"n": {"value": 7}}) is None
        await answer(house.desk, task_id, "n#2", 2)
        await house.settle_down()
        assert (await house.see(task_id)).result() == [1, 2]

    async def test_a_late_answer_is_acknowledged_and_ignored(self, house):
        task_id = await house.submit(deletion, files=3)
        await house.settle_down()
        await answer(house.desk, task_id, "approve", {"ok": True})
        assert await answer(house.desk, task_id, "approve", {"ok": False}) is Status.WORKING
        await house.settle_down()
        assert await answer(house.desk, task_id, "approve", {"ok": False}) is Status.COMPLETED
        assert (await house.see(task_id)).result() == "deleted 3"

    async def test_cancel_and_answer_have_one_winner(self, house):
        task_id = await house.submit(deletion, files=3)
        await house.settle_down()
        real = house.store.write

        async def cancel_first(write):
            house.store.write = real
            assert await cancel(house.desk, task_id) is Status.CANCELLED
            return await real(write)

        house.store.write = cancel_first
        assert await answer(house.desk, task_id, "approve", {"ok": True}) is Status.CANCELLED
        await house.settle_down()
        assert RUNS == ["run 1"]

    async def test_a_crash_between_answer_and_publish_is_repaired(self, house):
        task_id = await house.submit(deletion, files=3)
        await house.settle_down()
        house.bus.crash_at_publish = 1
        with pytest.raises(Exception, match="publish"):
            await answer(house.desk, task_id, "approve", {"ok": True})
        await house.keep_house(minutes=2)
        assert (await house.see(task_id)).result() == "deleted 3"

    async def test_nobody_answers_in_time(self, house):
        task_id = await house.submit(impatient)
        await house.settle_down()
        await house.keep_house(minutes=59)
        assert (await house.see(task_id)).status is Status.INPUT_REQUIRED
        await house.keep_house(minutes=2)
        assert (await house.see(task_id)).result() == "nobody answered name"

    async def test_a_default_answers_in_time(self, house):
        task_id = await house.submit(has_a_default)
        await house.settle_down()
        await house.keep_house(minutes=2)
        assert (await house.see(task_id)).result() is True

    async def test_a_copy_of_a_parked_tasks_message_is_deleted(self, house):
        task_id = await house.submit(deletion, files=3)
        [body] = house.waiting(deletion)
        await house.settle_down()
        before = await house.record(task_id)
        await house.copy(deletion, body)
        await house.settle_down()
        assert await house.record(task_id) == before
        assert house.waiting(deletion) == []


class TestTime:
    async def test_a_short_sleep_is_exact_and_holds_no_worker(self, house):
        task_id = await house.submit(sleeper, seconds=120)
        await house.settle_down()
        record = await house.record(task_id)
        assert (record.phase, record.lease_until_ms) == (Phase.SLEEPING, 0)
        house.clock.advance(seconds=119)
        await house.settle_down()
        assert (await house.record(task_id)).phase is Phase.SLEEPING
        house.clock.advance(seconds=2)
        await house.settle_down()
        house.clock.advance(seconds=121)
        await house.settle_down()
        assert (await house.see(task_id)).result() == 1
        assert RUNS == ["before", "before", "before", "after"]

    async def test_days_pass_and_housekeeping_wakes_within_its_minute(self, house):
        task_id = await house.submit(sleeper, seconds=2 * 86_400)
        await house.settle_down()
        for _ in range(2):
            house.clock.advance(seconds=2 * 86_400 - 59)
            await house.settle_down()
            assert (await house.record(task_id)).phase is Phase.SLEEPING
            await house.keep_house()
        assert (await house.see(task_id)).result() == 1

    async def test_the_timer_message_may_be_lost(self, house):
        task_id = await house.submit(sleeper, seconds=120)
        await house.settle_down()
        house.bus._queues[house.queue(sleeper)].messages.clear()
        await house.keep_house(minutes=3)
        await house.keep_house(minutes=3)
        assert (await house.see(task_id)).result() == 1

    async def test_housekeeping_and_the_timer_wake_it_once(self, house):
        task_id = await house.submit(sleeper, seconds=120)
        await house.settle_down()
        house.clock.advance(seconds=121)
        await house.housekeeper.sweep()
        await house.settle_down()
        assert house.store.counts["wake"] == 1
        await house.keep_house(minutes=3)
        assert (await house.see(task_id)).result() == 1
        assert RUNS == ["before", "before", "before", "after"]

    async def test_a_sleeper_can_be_cancelled(self, house):
        task_id = await house.submit(sleeper, seconds=120)
        await house.settle_down()
        assert await cancel(house.desk, task_id) is Status.CANCELLED
        await house.keep_house(minutes=5)
        assert RUNS == ["before"]

    @pytest.mark.parametrize("delay", [0, 900, 901, 86_400])
    async def test_a_delayed_task_starts_when_it_should(self, house, delay):
        task_id = await house.submit(helper, {"delay_s": delay}, n=1)
        house.clock.advance(seconds=delay - 1)
        await house.settle_down()
        await house.housekeeper.sweep()
        await house.settle_down()
        if delay:
            assert not house.store.items or ((await house.record(task_id)).phase is Phase.SLEEPING)
        await house.keep_house(minutes=1)
        assert (await house.see(task_id)).result() == 2

    async def test_a_negative_sleep_fails_the_task(self, house):
        task_id = await house.submit(sleeper, seconds=-1)
        await house.settle_down()
        with pytest.raises(TaskFailed, match="InvalidSleep"):
            (await house.see(task_id)).result()


async def test_children_people_and_time_side_by_side_all_arrive(house):
    task_id = await house.submit(everything)
    await house.settle_down()
    assert (await house.see(task_id)).status is Status.INPUT_REQUIRED
    await answer(house.desk, task_id, "n", 5)
    await house.settle_down()
    assert (await house.record(task_id)).phase is Phase.SLEEPING
    house.clock.advance(seconds=31)
    await house.settle_down()
    assert (await house.see(task_id)).result() == [2, 5, "rested"]
