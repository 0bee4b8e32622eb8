"""A timeline tells what became of a task: in order, with times, bounded, and only to its owner."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, Retry, StepFailed, TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.timeline import timeline
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.lifecycle import Status

CLOCK = []


def works(seconds):
    CLOCK[0].advance(seconds=seconds)
    return seconds


def breaks():
    works(1)
    raise KeyError("broken")


@agent(timeout=60, durability="durable")
async def leaf(n: int) -> int:
    works(2)
    if n < 0:
        raise Fail(f"no {n}", type="Negative")
    return n


@agent(timeout=60)
async def branch(rows: list[int], *, ctx: TaskContext) -> int:
    await ctx.step("count", works, 1)
    done = await ctx.map("leaf", [{"n": n} for n in rows], return_exceptions=True)
    return len(done)


@agent(timeout=60, max_attempts=3)
async def long_way(*, ctx: TaskContext) -> str:
    await ctx.step("first", works, 3)
    try:
        await ctx.step("breaks", breaks)
    except StepFailed:
        await ctx.step("after", works, 1)
    if not ctx.worker.store.counts["release"]:
        ctx.worker.store.counts["release"] = 1
        raise Retry("once more", after=10)
    await ctx.call("branch", rows=[1, 2])
    await ctx.sleep(30)
    said = await ctx.ask("ready", "Ready?", bool)
    await ctx.ask("late", "Now?", bool, timeout=60, on_timeout=False)
    works(4)
    return f"done {said}"


@agent(timeout=60)
async def stepper(steps: int, *, ctx: TaskContext) -> int:
    for n in range(steps):
        await ctx.step(f"s{n}", works, 0.001)
    return steps


AGENTS = (leaf, branch, long_way, stepper)


@pytest.fixture
def memory():
    made = MemorySwarm(*AGENTS)
    CLOCK[:] = [made.clock]
    return made


async def told(memory, task_id, **options):
    return await timeline(memory.connection, task_id, **options)


def brief(spans):
    """Return spans as (kind, name, seconds, outcome), with what lies within."""
    shown = []
    for span in spans:
        seconds = None if span.duration_ms is None else span.duration_ms / 1000
        within = brief(span.children)
        one = (span.kind.value, span.name, seconds, span.outcome)
        shown.append((*one, within) if within else one)
    return shown


async def test_a_task_is_told_from_its_creation_to_its_end(memory):
    task_id = await memory.submit(long_way)
    memory.clock.advance(seconds=5)
    await memory.work(long_way)
    memory.clock.advance(seconds=10)
    await memory.settle_down()
    await memory.housekeep(minutes=2)
    await answer(memory.connection, task_id, "ready", value=True)
    await memory.settle_down()
    await memory.housekeep(minutes=2)
    found = await told(memory, task_id)
    leaf_span = ("child", "leaf")
    kinds = [(span.kind.value, span.name, span.outcome) for span in found.spans]
    assert kinds == [
        ("queue", "queue", None),
        ("attempt", "attempt 1", "retried"),
        ("queue", "backoff", None),
        ("attempt", "attempt 2", "suspended"),
        ("child", "branch", "completed"),
        ("queue", "queue", None),
        ("attempt", "attempt 1, resumed", "suspended"),
        ("sleep", "sleep 1", None),
        ("queue", "queue", None),
        ("attempt", "attempt 1, resumed", "suspended"),
        ("ask", "ready", "answered"),
        ("queue", "queue", None),
        ("attempt", "attempt 1, resumed", "suspended"),
        ("ask", "late", "timed out"),
        ("queue", "queue", None),
        ("attempt", "attempt 1, resumed", "completed"),
    ]
    first, attempt, backoff, again, child = found.spans[:5]
    assert (first.duration_ms, backoff.duration_ms) == (5000, 10_000)
    assert brief(attempt.children) == [
        ("step", "first", 3.0, "completed"),
        ("step", "breaks", 1.0, "failed"),
        ("step", "after", 1.0, "completed"),
    ]
    assert (attempt.duration_ms, attempt.error) == (5000, "Retry: once more")
    assert attempt.children[1].error == "KeyError: 'broken'"
    assert again.children == ()
    within = brief(child.children)
    assert [one[:2] for one in within] == [
        ("queue", "queue"),
        ("attempt", "attempt 1"),
        leaf_span,
        leaf_span,
        ("queue", "queue"),
        ("attempt", "attempt 1, resumed"),
    ]
    assert within[1][4] == [("step", "count", 1.0, "completed")]
    [ready] = [span for span in found.spans if span.name == "ready"]
    assert ready.by == "me"
    assert found.spans[-1].duration_ms == 4000
    assert found.queue_ms + found.run_ms + found.wait_ms == found.duration_ms
    assert found.status is Status.COMPLETED
    for earlier, later in zip(found.spans, found.spans[1:], strict=False):
        assert earlier.ended_ms == later.began_ms


async def test_a_child_that_failed_is_seen_among_many_that_did_not(memory):
    task_id = await memory.submit(branch, rows=[1] * 30 + [-7] + [1] * 30)
    await memory.settle_down()
    found = await told(memory, task_id, limit=5)
    children = [span for span in found.spans if span.kind == "child"]
    assert [span.outcome for span in children] == ["completed"] * 4 + ["failed"]
    assert children[-1].error == "Negative: no -7"
    assert children[-1].children[-1].outcome == "failed"
    assert found.left_out == {"child": 56}


async def test_a_thousand_children_and_five_thousand_steps_stay_bounded(memory):
    task_id = await memory.submit(branch, rows=list(range(1200)))
    await memory.settle_down()
    found = await told(memory, task_id, depth=1)
    assert sum(span.kind == "child" for span in found.spans) == 100
    assert found.left_out == {"child": 1100}
    assert len(str(found.to_json())) < 50_000
    task_id = await memory.submit(stepper, steps=5000)
    await memory.work(stepper)
    [_, attempt] = (await told(memory, task_id)).spans
    assert (len(attempt.children), attempt.left_out) == (100, {"step": 4900})


async def test_how_deep_is_said(memory):
    task_id = await memory.submit(branch, rows=[1])
    await memory.settle_down()
    shallow = await told(memory, task_id, depth=1)
    [child] = [span for span in shallow.spans if span.kind == "child"]
    assert (child.outcome, child.children) == ("completed", ())
    deep = await told(memory, task_id, depth=2)
    [child] = [span for span in deep.spans if span.kind == "child"]
    assert brief(child.children) == [
        ("queue", "queue", 0.0, None),
        ("attempt", "attempt 1", 2.0, "completed"),
    ]


async def test_what_is_not_over_has_no_end(memory):
    task_id = await memory.submit(branch, rows=[1])
    await memory.work(branch)
    memory.clock.advance(seconds=7)
    waits = await told(memory, task_id)
    *_, child = waits.spans
    assert (child.kind, child.ended_ms, child.outcome) == ("child", None, "working")
    assert (waits.ended_ms, waits.wait_ms) == (None, 7000)
    await cancel(memory.connection, task_id)
    ended = await told(memory, task_id)
    assert (ended.status, ended.wait_ms, ended.duration_ms) == (Status.CANCELLED, 7000, 8000)


async def test_a_task_that_was_delayed_sleeps_first(memory):
    task_id = await memory.submit(leaf, {"delay_s": 3600}, n=1)
    await memory.housekeep(minutes=61)
    assert [one[:2] for one in brief((await told(memory, task_id)).spans)] == [
        ("sleep", "delay"),
        ("queue", "queue"),
        ("attempt", "attempt 1"),
    ]


async def test_a_task_without_a_record_is_in_its_queue_where_its_agent_is_known(memory):
    task_id = await memory.submit(stepper, steps=1)
    memory.clock.advance(seconds=3)
    found = await told(memory, task_id, agent="stepper")
    assert (brief(found.spans), found.queue_ms) == ([("queue", "queue", None, None)], 3000)
    with pytest.raises(TaskNotFound):
        await told(memory, task_id)


async def test_nobody_is_told_of_anothers_task(memory):
    task_id = await memory.submit(leaf, n=1)
    await memory.settle_down()
    with pytest.raises(TaskNotFound):
        await timeline(memory.connection_for("another"), task_id)
    assert await timeline(memory.connection_for("boss", operator=True), task_id)


async def test_its_json_says_what_it_says(memory):
    task_id = await memory.submit(branch, rows=[-1])
    await memory.settle_down()
    shown = (await told(memory, task_id)).to_json()
    assert {"taskId", "agent", "status", "beganAt", "endedAt", "durationMs"} < shown.keys()
    assert shown["runMs"] == 1000
    assert "leftOut" not in shown
    [child] = [span for span in shown["spans"] if span["kind"] == "child"]
    assert child["error"] == "Negative: no -1"
    assert child["children"][0]["kind"] == "queue"
