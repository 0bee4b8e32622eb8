"""Redrive from a step: what was recorded before it is copied, and nothing is paid or done twice."""

from __future__ import annotations

import pytest
from redrive_parts import BROKEN, DONE, as_new, do, part, write

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.lifecycle.recorded_outcomes import FROM_END
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing import MemorySwarm


@pytest.fixture(autouse=True)
def _fresh():
    as_new()


@agent(calls=["part"], max_attempts=1)
async def report(topic: str, *, ctx: TaskContext) -> dict:
    plan = await ctx.step("plan", do, "plan")
    ok = await ctx.ask("approve", "Go on?", bool)
    parts = await ctx.gather(*(ctx.task("part", n=n) for n in range(3)))
    await ctx.sleep(3600)
    again = await ctx.step("plan", do, "plan again")
    said = await ctx.step("write", write, topic)
    return {"said": said, "plan": [plan, again], "ok": ok, "parts": parts}


@pytest.fixture
def memory():
    with MemorySwarm([report, part]) as memory:
        yield memory


def begun(memory, topic="sun"):
    task = memory.submit("report", topic=topic)
    memory.run()
    task.answer("approve", True)
    memory.run()
    return task


def failed(memory):
    task = begun(memory)
    assert task.status() is Status.FAILED
    return task


RESULT = {"said": "wrote sun", "plan": ["plan", "plan again"], "ok": True, "parts": [0, 1, 2]}


@pytest.mark.parametrize("name", ["write", "step write", "write#1", FROM_END])
def test_only_the_step_that_failed_runs_again(memory, name):
    old = failed(memory)
    assert memory.get(old.id).to_json()["failedSteps"] == ["write#0"]
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step=name)
    memory.run(seconds=1)
    assert new.result() == RESULT
    assert DONE == ["write"]


def test_both_tasks_say_what_became_of_the_other_and_what_was_copied(memory):
    old = failed(memory)
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step="write")
    memory.run()
    assert memory.get(old.id).to_json()["redrivenAs"] == new.id
    told = memory.get(new.id).to_json()
    assert told["redrivenFrom"] == old.id
    counts = {"steps": 2, "answers": 1, "children": 3, "sleeps": 1}
    assert told["copied"] == {"fromStep": "write", **counts}
    shown = new.timeline()
    assert [span.name for one in shown.spans for span in one.children] == ["write"]


@pytest.mark.parametrize(
    ("name", "again"),
    [
        pytest.param("plan", ["plan", "part 0", "part 1", "part 2", "plan again", "write"], id="1"),
        pytest.param("approve", ["part 0", "part 1", "part 2", "plan again", "write"], id="ask"),
        pytest.param("part", ["part 0", "plan again", "write"], id="child"),
        pytest.param("part#3", ["part 2", "plan again", "write"], id="third child"),
        pytest.param("sleep 1", ["plan again", "write"], id="sleep"),
        pytest.param("plan#2", ["plan again", "write"], id="second use"),
        pytest.param("plan (2)", ["plan again", "write"], id="as the timeline has it"),
    ],
)
def test_what_comes_after_the_named_one_runs_again_and_nothing_before(memory, name, again):
    old = failed(memory)
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step=name)
    memory.run()
    if new.status() is Status.INPUT_REQUIRED:
        assert name in {"plan", "approve"}
        new.answer("approve", True)
        memory.run()
    assert new.result() == RESULT
    assert again == DONE


def test_a_child_is_named_by_its_id_too(memory):
    old = failed(memory)
    child = next(s for s in old.timeline().spans if s.kind == "child" and s.name == "part")
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step=child.task_id)
    memory.run()
    assert DONE == ["part 0", "plan again", "write"]
    assert new.result() == RESULT


def test_a_repeat_returns_the_same_task_and_another_way_is_refused(memory):
    old = failed(memory)
    DONE.clear()
    BROKEN["write"] = False
    new = memory.redrive(old.id, from_step="write")
    assert memory.redrive(old.id, from_step="write#1").id == new.id
    assert memory.redrive(old.id).id == new.id
    for other in ({"from_step": "plan"}, {"from_step": "write", "arguments": {"topic": "x"}}):
        with pytest.raises(UsageError, match="was redriven before, from 'write'") as told:
            memory.redrive(old.id, **other)
        assert new.id in told.value.hint
    memory.run()
    assert memory.redrive(old.id, from_step="write").id == new.id
    assert DONE == ["write"]


def test_a_name_that_is_not_there_is_told_with_those_that_are(memory):
    old = failed(memory)
    with pytest.raises(UsageError) as told:
        memory.redrive(old.id, from_step="publish")
    names = "'plan', 'approve', 'part', 'part#2', 'part#3', 'sleep#1', 'plan#2', 'write'"
    assert f"has recorded no 'publish': it has {names}" in str(told.value)
    assert memory.get(old.id).record.redriven_as is None


def test_changed_arguments_are_for_what_runs_from_there_on(memory):
    old = failed(memory)
    BROKEN["write"] = False
    with pytest.raises(InvalidArguments):
        memory.redrive(old.id, from_step="write", arguments={"subject": "moon"})
    new = memory.redrive(old.id, from_step="write", arguments={"topic": "moon"})
    memory.run()
    assert new.result() == {**RESULT, "said": "wrote moon"}
    assert memory.get(old.id).record.arguments.inline == '{"topic":"sun"}'


def test_large_changed_arguments_go_to_s3(memory):
    old = failed(memory)
    BROKEN["write"] = False
    new = memory.redrive(old.id, arguments={"topic": "m" * 100_000})
    memory.run()
    new.answer("approve", True)
    memory.run()
    assert memory.get(new.id).record.arguments.ref.endswith(f"/report/{new.id}/arguments.json")
    assert len(new.result()["said"]) == 100_006


def test_a_redriven_task_is_redriven_again_with_all_it_was_given(memory):
    old = failed(memory)
    second = memory.redrive(old.id, from_step="write")
    memory.run()
    assert second.status() is Status.FAILED
    DONE.clear()
    BROKEN["write"] = False
    third = memory.redrive(second.id, from_step="write")
    memory.run()
    assert third.result() == RESULT
    assert DONE == ["write"]
    assert memory.get(third.id).to_json()["copied"]["children"] == 3
