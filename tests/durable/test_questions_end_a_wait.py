"""Who waits for a task that asks a person is told so, with the question, in place of waiting."""

from dataclasses import replace

import pytest

from sqswarm import AsyncSwarm, TaskContext, agent
from sqswarm.schemas.errors import InputRequired, TimedOut
from sqswarm.testing import MemorySwarm


@agent(durability="durable")
async def approval(ctx: TaskContext, what: str) -> bool:
    return await ctx.ask("sure", f"Really {what}?", bool, timeout=3600, on_timeout=False)


@agent(durability="durable")
async def nap(ctx: TaskContext, seconds: int) -> int:
    await ctx.sleep(seconds)
    return seconds


@pytest.fixture
def memory():
    with MemorySwarm(approval, nap) as swarm:
        yield swarm


def test_a_result_that_a_person_stands_before_names_the_question_and_how_to_answer(memory):
    task = memory.submit(approval, what="sell")
    with pytest.raises(
        InputRequired, match=f"task {task.id} of 'approval' asks 'sure': Really"
    ) as e:
        task.result()
    assert e.value.task_id == task.id
    assert e.value.questions["sure"]["message"] == "Really sell?"
    assert e.value.questions["sure"]["schema"]["type"] == "object"
    assert "task.answer('sure', value)" in e.value.hint
    assert f"`sqswarm answer {task.id} sure JSON`" in e.value.hint
    assert e.value.exit_code == 5
    task.answer("sure", True)
    assert task.result() is True


def test_a_time_limit_is_not_waited_for_where_a_person_is_asked(memory):
    task = memory.submit(approval, what="sell")
    before_ms = memory.clock.now_ms()
    with pytest.raises(InputRequired):
        task.result(timeout=1000)
    assert memory.clock.now_ms() - before_ms < 60_000


def test_who_waits_for_answers_gets_what_becomes_of_the_question(memory):
    task = memory.submit(approval, what="sell")
    with pytest.raises(TimedOut):
        task.result(timeout=100, wait_for_answers=True)
    assert task.result(timeout=7200, wait_for_answers=True) is False  # the default, after an hour


def test_one_that_asks_keeps_nobody_from_the_results_of_others(memory):
    asking = memory.submit(approval, what="sell")
    napping = [memory.submit(nap, seconds) for seconds in (10, 300)]
    ended = []
    with pytest.raises(InputRequired, match=asking.id):
        ended.extend(task.result() for task in memory.wait([asking, *napping]))
    assert ended == [10, 300]
    asking.answer("sure", True)
    assert [task.result() for task in memory.wait([asking])] == [True]


def test_others_are_waited_for_within_a_time_too(memory):
    tasks = [memory.submit(approval, what="sell"), memory.submit(nap, 10)]
    ended = []
    with pytest.raises(InputRequired):
        ended.extend(task.result() for task in memory.wait(tasks, timeout=100))
    assert ended == [10]
    over = memory.wait(tasks, timeout=7200, wait_for_answers=True)
    assert sorted(task.result() for task in over) == [0, 10]


async def test_the_awaited_client_is_told_too(memory):
    swarm = AsyncSwarm(replace(memory.stage.connection_for("me"), runner=memory.clock))
    task = await swarm.submit(approval, what="sell")
    memory.run()
    with pytest.raises(InputRequired, match="Really sell"):
        await task.result()
    with pytest.raises(InputRequired, match="Really sell"):
        [one async for one in swarm.wait([task])]
    with pytest.raises(TimedOut):
        await task.result(timeout=0, wait_for_answers=True)
