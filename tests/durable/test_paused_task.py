"""A paused task: no worker begins a run of it until it is resumed, whatever happens meanwhile."""

from __future__ import annotations

import pytest

from sqswarm import TaskContext, agent
from sqswarm.backends.runner import run_straight
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import TaskCancelled, TaskNotFound, UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.writes import Applied, Refused
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


@agent(calls=["part"], max_attempts=1)
async def work(how: str, *, ctx: TaskContext) -> str:
    a = await ctx.step("a", do, "a")
    match how:
        case "asleep":
            await ctx.sleep(HOUR)
        case "asking":
            await ctx.ask("go", "Go on?", bool)
        case "receiving":
            await ctx.receive("go", bool)
        case "children":
            await ctx.call("part", text="x")
    return a + await ctx.step("b", do, "b")


HOWS = ["asleep", "asking", "receiving", "children"]


@pytest.fixture
def memory():
    with MemorySwarm(work, part) as swarm:
        yield swarm


def begun(memory, how):
    """Submit a task and let it come to its wait."""
    task = memory.submit("work", how=how)
    memory.run(minutes=1)
    return task


def what_it_waits_for_comes(memory, task, how):
    if how == "asking":
        task.answer("go", True)
    if how == "receiving":
        task.send("go", True)
    memory.run(days=30)


@pytest.mark.parametrize("how", HOWS)
def test_what_it_waits_for_comes_and_it_goes_on_only_once_it_is_resumed(memory, how):
    task = begun(memory, how)
    memory.pause_task(task.id)
    what_it_waits_for_comes(memory, task, how)
    shown = memory.get(task.id).to_json()
    assert (shown["status"], DONE) == ("working", ["a"])
    assert shown["paused"]["by"] == memory.get(task.id).record.principal
    assert [view.id for view in memory.list(status="parked")] == [task.id]
    memory.deploy(work)  # resumes what is parked, and nothing that is paused
    memory.run(days=30)
    assert DONE == ["a"]
    memory.resume_task(task.id)
    assert task.result() == "ab"
    assert DONE == ["a", "b"]
    assert not memory.list(status="parked")
    assert "paused" not in memory.get(task.id).to_json()


@pytest.mark.parametrize("how", HOWS)
def test_resumed_before_what_it_waits_for_it_was_never_parked(memory, how):
    task = begun(memory, how)
    memory.pause_task(task.id)
    memory.resume_task(task.id)
    what_it_waits_for_comes(memory, task, how)
    assert task.result() == "ab"
    assert memory.get(task.id).record.parked is None


def test_one_that_no_worker_has_begun_uses_no_attempt(memory):
    memory.pause("work")
    task = memory.submit("work", how="", durable=True)
    memory.pause_task(task.id)
    memory.resume("work")
    memory.run(days=30)
    assert (DONE, memory.get(task.id).record.attempt) == ([], 0)
    assert memory.resume_task(task.id) is Status.WORKING
    assert task.result() == "ab"


def test_it_keeps_who_paused_it_first_and_may_be_cancelled(memory):
    task = begun(memory, "asleep")
    memory.pause_task(task.id)
    first = memory.get(task.id).record.paused
    memory.run(hours=2)
    memory.pause_task(task.id)
    assert memory.get(task.id).record.paused == first
    assert task.cancel() is Status.CANCELLED
    with pytest.raises(TaskCancelled):
        task.result()
    with pytest.raises(UsageError, match="cancelled: there is nothing to pause"):
        memory.pause_task(task.id)
    with pytest.raises(UsageError, match="neither parked nor paused"):
        memory.resume_task(task.id)


def test_a_pause_whose_repeat_lands_after_the_resume_pauses_nothing(memory):
    task = begun(memory, "asleep")
    record = memory.get(task.id).record
    write = protocol.pause(record, paused='{"at_ms":1,"by":"me"}')
    assert isinstance(run_straight(memory.stage.store.write(write)), Applied)
    memory.resume_task(task.id)
    assert isinstance(run_straight(memory.stage.store.write(write)), Refused)
    assert task.result() == "ab"


def test_an_unknown_one_is_said_to_be_unknown(memory):
    task = begun(memory, "asleep")
    with pytest.raises(TaskNotFound):
        memory.pause_task(task.id[:-4] + "beef")


def test_an_undo_is_held_back_by_nobody():
    @agent(max_attempts=1)
    async def undone(*, ctx: TaskContext) -> None:
        await ctx.step("a", do, "a", undo=lambda _: do("undo a"))
        await ctx.sleep(HOUR)

    with MemorySwarm(undone) as memory:
        task = memory.submit("undone")
        memory.run(minutes=1)
        memory.pause_task(task.id)
        memory.run(hours=2)
        assert memory.list(status="parked")
        task.cancel()
        memory.run(hours=1)
        assert (task.status(), DONE) == (Status.CANCELLED, ["a", "undo a"])


@pytest.mark.parametrize("how", HOWS)
def test_a_kill_at_any_moment_of_parking_and_resuming_changes_nothing(how):
    def story(memory):
        DONE.clear()
        task = memory.submit("work", how=how)
        memory.run(minutes=10)
        memory.pause_task(task.id)
        what_it_waits_for_comes(memory, task, how)
        seen = [memory.get(task.id).to_json()["parked"]["why"].partition(" by ")[0], *set(DONE)]
        memory.resume_task(task.id)
        return [*seen, task.result()]

    patient = agent(calls=["part"], name="work")(work.function)
    assert kill_everywhere(story, patient, part) == ["paused", "a", "ab"]
