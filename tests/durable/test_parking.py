"""A deploy ends no task: code that does not fit its journal parks it, and the next goes on."""

from __future__ import annotations

import contextlib

import pytest

from sqswarm import TaskContext, agent
from sqswarm.schemas.errors import InvalidAgent, TaskCancelled, UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing import MemorySwarm, kill_everywhere

HOUR = 3600
DONE: list[str] = []


@pytest.fixture(autouse=True)
def _fresh():
    DONE.clear()


def do(what: str) -> str:
    DONE.append(what)
    return what


@agent
async def part(text: str, *, ctx: TaskContext) -> str:
    await ctx.sleep(HOUR)
    return text


@agent(name="work", calls=["part"], max_attempts=2)
async def first(how: str, *, ctx: TaskContext) -> str:
    a = await ctx.step("a", do, "a")
    await wait(how, ctx)
    return a + await ctx.step("b", do, "b")


@agent(name="work", calls=["part"], max_attempts=2)
async def swapped(how: str, *, ctx: TaskContext) -> str:
    b = await ctx.step("b", do, "b")
    await wait(how, ctx)
    return await ctx.step("a", do, "a") + b


@agent(name="work", calls=["part"], max_attempts=2)
async def shorter(how: str, *, ctx: TaskContext) -> str:
    return await ctx.step("a", do, "a") + await ctx.step("b", do, "b")


@agent(name="work", calls=["part"], max_attempts=2)
async def other_arguments(count: int, *, ctx: TaskContext) -> str:
    return str(count)


@agent
async def bystander(text: str) -> str:
    return text


async def wait(how: str, ctx: TaskContext) -> None:
    match how:
        case "asleep":
            await ctx.sleep(HOUR)
        case "asking":
            await ctx.ask("go", "Go on?", bool)
        case "children":
            await ctx.call("part", text="x")


HOWS = ["asleep", "asking", "children"]


def begun(memory, how):
    """Submit a task and let it come to its wait."""
    task = memory.submit("work", how=how)
    memory.run(minutes=1)
    return task


def go_on(memory, task, how):
    if how == "asking":
        task.answer("go", True)
    memory.run(hours=2)


def parked_now(memory, task):
    return memory.get(task.id).record.parked_now


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("unfit", [swapped, shorter, other_arguments], ids=lambda a: a.__name__)
def test_a_task_that_does_not_fit_is_parked_and_goes_on_with_code_that_does(how, unfit):
    with MemorySwarm(first, part) as memory:
        task = begun(memory, how)
        memory.deploy(unfit)
        go_on(memory, task, how)
        record = memory.get(task.id).record
        assert record.status is Status.WORKING
        assert record.parked_now["why"] in record.status_message
        assert record.attempt == 0  # none is used up
        assert record.due_at_ms is None  # nothing looks at it again
        assert [view.id for view in memory.list(status="parked")] == [task.id]
        memory.deploy(first)
        assert task.result() == "ab"
        assert not memory.list(status="parked")
        assert DONE.count("a") == 1


def test_what_differs_is_told_with_its_place():
    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        memory.deploy(swapped)
        go_on(memory, task, "asleep")
        parked = parked_now(memory, task)
        assert (parked["place"], parked["recorded"], parked["got"]) == (1, "step a#0", "step b#0")
        assert parked["by"].startswith(swapped.function.__module__)
        shown = memory.get(task.id).to_json()
        assert shown["parked"]["why"] == parked["why"]
        assert shown["status"] == "working"
        assert [span.name for span in memory.timeline(task.id).spans][-1] == "parked"


def test_a_version_is_told_with_each_attempt_and_of_who_parked_the_task():
    def of(version):
        return agent(name="work", version=version, calls=["part"])

    with MemorySwarm(of("2026-11")(first.function), part) as memory:
        task = begun(memory, "asleep")
        memory.deploy(of("2026-12")(swapped.function))
        go_on(memory, task, "asleep")
        assert parked_now(memory, task)["by"] == "2026-12"
        spans = memory.timeline(task.id).spans
        versions = [span.version for span in spans if span.kind.value == "attempt"]
        assert versions[:2] == ["2026-11", "2026-12"]


def test_a_version_is_a_word():
    with pytest.raises(InvalidAgent, match="no short word"):
        agent(version="a b")(do)


def test_a_parked_task_costs_nothing_and_loses_nothing_for_years():
    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        memory.deploy(swapped)
        go_on(memory, task, "asleep")
        before = memory.stage.watched.changes
        memory.run(days=1000)
        assert memory.stage.watched.changes == before
        memory.deploy(first)
        assert task.result() == "ab"


def test_failed_attempts_stay_counted_and_parking_counts_none():
    tries = []

    @agent(name="work", max_attempts=2, calls=[])
    async def breaks(how: str, *, ctx: TaskContext) -> str:
        await ctx.step("a", do, "a")
        await wait(how, ctx)
        tries.append(ctx.attempt)
        raise ConnectionError

    with MemorySwarm(breaks, part) as memory:
        task = begun(memory, "asleep")
        memory.run_until(lambda: len(tries) == 1)
        memory.deploy(swapped)
        memory.run(hours=2)
        assert memory.get(task.id).record.attempt == 1
        for _ in range(3):
            memory.resume_task(task.id)
            memory.run(hours=1)
        assert memory.get(task.id).record.attempt == 1
        memory.deploy(first)
        assert task.result() == "ab"


def test_an_agent_cannot_catch_that_it_does_not_fit():
    @agent(name="work", calls=["part"])
    async def catches(how: str, *, ctx: TaskContext) -> str:
        for name in "xyz":
            with contextlib.suppress(Exception):  # what a careless agent does
                await ctx.step(name, do, name)
        return "caught"

    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        memory.deploy(catches)
        go_on(memory, task, "asleep")
        assert parked_now(memory, task)["got"] == "step x#0"
        assert DONE == ["a"]


def test_a_parent_goes_on_waiting_for_its_parked_child():
    @agent(name="part")
    async def other(text: str, *, ctx: TaskContext) -> str:
        await ctx.step("new", do, "new")
        await ctx.sleep(HOUR)
        return text

    with MemorySwarm(first, part) as memory:
        task = begun(memory, "children")
        memory.deploy(other)
        memory.run(days=3)
        [child] = memory.list(status="parked")
        assert child.record.agent == "part"
        assert memory.get(task.id).record.phase.value == "waiting"
        memory.deploy(part)
        assert task.result() == "ab"


def test_resume_tries_it_again_and_says_where_there_is_nothing_to_resume():
    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        with pytest.raises(UsageError, match="neither parked nor paused"):
            memory.resume_task(task.id)
        memory.deploy(swapped)
        go_on(memory, task, "asleep")
        memory.resume_task(task.id)
        assert parked_now(memory, task) is None
        memory.run(hours=1)
        assert parked_now(memory, task)


def test_a_person_may_end_it():
    with MemorySwarm(first, part) as memory:
        cancelled, again = begun(memory, "asleep"), begun(memory, "asleep")
        memory.deploy(swapped)
        memory.run(hours=2)
        assert cancelled.cancel() is Status.CANCELLED
        with pytest.raises(TaskCancelled):
            cancelled.result()
        new = memory.redrive(again.id)
        assert again.status() is Status.CANCELLED
        assert new.result() == "ab"  # from its arguments, by the code of today
        assert not memory.list(status="parked")


def test_what_does_not_load_or_takes_other_arguments_still_fails_what_is_new():
    with MemorySwarm(other_arguments) as memory:
        task = memory.submit("work", count=1)
        memory.deploy(first, part)
        memory.run()
        assert task.status() is Status.FAILED


def test_a_step_whose_outcome_is_of_another_type_by_now_parks_its_task():
    @agent(name="work", calls=["part"])
    async def typed(how: str, *, ctx: TaskContext) -> int:
        number = await ctx.step("a", count, 1)
        await wait(how, ctx)
        return number

    def count(number: int) -> int:
        return number

    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        memory.deploy(typed)
        memory.run(hours=2)
        assert "not what this code takes" in parked_now(memory, task)["why"]
        memory.deploy(first)
        assert task.result() == "ab"


def test_a_question_that_asks_for_something_else_by_now_parks_its_task():
    @agent(name="work", calls=["part"])
    async def asks(how: str, *, ctx: TaskContext) -> str:
        await ctx.step("a", do, "a")
        return str(await ctx.ask("go", "How many?", list[int]))

    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asking")
        task.answer("go", True)
        memory.deploy(asks)
        memory.run(hours=1)
        assert "'ask go' is not what this code takes" in parked_now(memory, task)["why"]
        memory.deploy(first)
        assert task.result() == "ab"


@pytest.mark.parametrize("how", HOWS)
def test_tasks_of_an_agent_that_is_gone_are_parked_and_go_on_when_it_is_back(how):
    with MemorySwarm(first, part, bystander) as memory:
        task = begun(memory, how)
        memory.stage.deploy(part, bystander)
        go_on(memory, task, how)
        memory.run(days=30)
        assert parked_now(memory, task)["why"] == "the agent 'work' is not deployed"
        assert [view.id for view in memory.list(status="parked")] == [task.id]
        memory.deploy(first)
        assert task.result() == "ab"


def test_a_worker_of_the_code_before_that_parks_a_task_late_costs_it_nothing():
    """What was parked just after a deployment meets the new code once more, by itself."""
    with MemorySwarm(first, part) as memory:
        task = begun(memory, "asleep")
        memory.run(minutes=58)
        memory.deploy(swapped)
        late = memory.stage.runtimes["work"]
        memory.deploy(first)
        memory.stage.runtimes["work"], right = late, memory.stage.runtimes["work"]
        memory.run_until(lambda: parked_now(memory, task) is not None, timeout=HOUR)
        assert parked_now(memory, task)
        memory.stage.runtimes["work"] = right
        assert task.result() == "ab"


@pytest.mark.parametrize("how", HOWS)
def test_a_kill_at_any_moment_of_parking_and_resuming_changes_nothing(how):
    def story(memory):
        DONE.clear()
        task = memory.submit("work", how=how)
        memory.run(minutes=10)
        memory.deploy(swapped)
        if how == "asking":
            task.answer("go", True)
        memory.run(hours=3)
        seen = [parked_now(memory, task)["got"]]
        memory.deploy(first)
        return [*seen, task.result()]

    assert kill_everywhere(story, first, part) == ["step b#0", "ab"]
