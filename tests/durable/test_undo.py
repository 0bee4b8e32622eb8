"""Undo: a task that fails or is cancelled undoes its recorded steps, in reverse, each once."""

from __future__ import annotations

import asyncio

import pytest

from sqswarm import Fail, TaskContext, agent
from sqswarm.infra.cli.timeline_tree import timeline_lines
from sqswarm.schemas.errors import TaskCancelled, TaskFailed
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import SpanKind
from sqswarm.schemas.undo import GIVEN_UP
from sqswarm.testing import Failure, Kill, MemorySwarm, kill_everywhere

HOUR = 3600


class Ledger:
    """A foreign system that takes each key once, as one does that is given idempotency keys."""

    def __init__(self):
        self.entries = []
        self.asked = []

    def enter(self, *key):
        self.asked.append(key)
        if key not in self.entries:
            self.entries.append(key)


LEDGER = Ledger()


@pytest.fixture(autouse=True)
def _fresh():
    LEDGER.__init__()


def do(ctx, what):
    LEDGER.enter("do", ctx.task_id, what)
    return what.upper()


async def undo_it(ctx, what, outcome):
    assert outcome == what.upper()
    LEDGER.enter("undo", ctx.task_id, what)


async def did(ctx, what, **options):
    return await ctx.step(
        what, do, ctx, what, undo=lambda outcome: undo_it(ctx, what, outcome), **options
    )


@agent(max_attempts=2)
async def book(how: str, *, ctx: TaskContext) -> str:
    """Reserve, note (which needs no undo), pay; then end as `how` says."""
    await did(ctx, "reserve")
    await ctx.step("note", do, ctx, "note")
    await did(ctx, "pay")
    match how:
        case "fail":
            raise Fail("no room", type="NoRoom")
        case "raise":
            raise RuntimeError("broken")
        case "step":
            await ctx.step("confirm", confirm)
        case "sleep":
            await ctx.sleep(HOUR)
        case "ask":
            await ctx.ask("go", "Go on?", bool)
        case "child":
            await ctx.call("part")
    return "booked"


def confirm():
    raise ConnectionError("nobody answers")


@agent(name="part")
async def part(*, ctx: TaskContext) -> str:
    await did(ctx, "child")
    await ctx.sleep(HOUR)
    return "part"


def undone(task):
    return [key[2] for key in LEDGER.entries if key[0] == "undo" and key[1] == task.id]


FAILURES = {"fail": "NoRoom", "raise": "RuntimeError", "step": "ConnectionError"}


@pytest.mark.parametrize("how", FAILURES)
def test_a_task_that_fails_undoes_its_steps_in_reverse_and_ends_with_its_own_reason(how):
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how=how)
        with pytest.raises(TaskFailed) as failed:
            task.result()
        assert failed.value.error_type == FAILURES[how]
        assert undone(task) == ["pay", "reserve"]
        assert task.status() is Status.FAILED


def test_a_task_that_completes_undoes_nothing():
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how="")
        assert task.result() == "booked"
        assert undone(task) == []


@pytest.mark.parametrize("how", ["sleep", "ask", "child"])
def test_a_cancelled_task_undoes_its_steps_and_is_cancelled_then(how):
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how=how)
        memory.run(minutes=1)
        assert task.cancel() is Status.WORKING
        assert memory.get(task.id).to_json()["undoing"] == {"then": "cancelled"}
        with pytest.raises(TaskCancelled):
            task.result()
        assert undone(task) == ["pay", "reserve"]
        memory.run(hours=2)
        children = [view for view in memory.list() if view.id != task.id]
        assert [child.status for child in children] == [Status.CANCELLED] * (how == "child")
        assert [key[2] for key in LEDGER.entries if key[0] == "undo"].count("child") == len(
            children
        )


def test_a_cancel_before_anything_is_recorded_ends_the_task_at_once():
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how="fail", delay=HOUR)
        assert task.cancel() is Status.CANCELLED


def story(how, *, cancels):
    def tell(memory):
        LEDGER.__init__()
        task = memory.submit("book", how=how)
        if cancels:
            memory.run(minutes=30)
            task.cancel()
        memory.run(hours=3)
        assert len(set(LEDGER.entries)) == len(LEDGER.entries)
        return task.status(), undone(task)

    return tell


@pytest.mark.parametrize("how", FAILURES)
def test_killed_anywhere_a_task_that_fails_is_undone_once_in_reverse(how):
    ended = kill_everywhere(story(how, cancels=False), book, part)
    assert ended == (Status.FAILED, ["pay", "reserve"])


@pytest.mark.parametrize("how", ["sleep", "ask"])
def test_killed_anywhere_a_cancelled_task_is_undone_once_in_reverse(how):
    ended = kill_everywhere(story(how, cancels=True), book, part)
    assert ended == (Status.CANCELLED, ["pay", "reserve"])


def test_a_task_whose_worker_is_lost_at_every_attempt_is_undone():
    kills = [Kill(before="confirm", nth=1), Kill(before="confirm", nth=2)]
    with MemorySwarm(book, part, faults=kills) as memory:
        task = memory.submit("book", how="step")
        with pytest.raises(TaskFailed) as failed:
            task.result()
        assert failed.value.error_type == "WorkerLost"
        assert undone(task) == ["pay", "reserve"]


def test_what_was_received_before_it_was_waited_for_is_no_obstacle():
    """It stands in the record and nowhere in the journal, for nobody has waited for it."""

    @agent(max_attempts=1)
    async def told(*, ctx: TaskContext) -> None:
        await ctx.sleep(HOUR)
        await ctx.receive("go", bool)
        await did(ctx, "reserve")
        raise Fail("no")

    with MemorySwarm(told) as memory:
        task = memory.submit("told")
        memory.run(minutes=1)
        task.send("go", True)
        with pytest.raises(TaskFailed, match="no"):
            task.result()
        assert [(what, step) for what, _, step in LEDGER.entries] == [
            ("do", "reserve"),
            ("undo", "reserve"),
        ]


def test_an_undo_that_raises_is_tried_again():
    with MemorySwarm(book, part, faults=[Failure(before="undo pay", times=3)]) as memory:
        task = memory.submit("book", how="fail")
        with pytest.raises(TaskFailed) as failed:
            task.result()
        assert failed.value.error_type == "NoRoom"
        assert undone(task) == ["pay", "reserve"]


def test_an_undo_that_keeps_raising_ends_the_task_as_failed_with_what_is_left():
    with MemorySwarm(book, part, faults=[Failure(before="undo pay", times=99)]) as memory:
        task = memory.submit("book", how="fail")
        with pytest.raises(TaskFailed, match="undo of 'pay' failed") as failed:
            task.result()
        assert failed.value.error_type == "UndoFailed"
        told = memory.get(task.id).record.error["data"]["undo"]
        assert told["left"] == ["pay", "reserve"]
        assert told["error"]["data"]["type"] == "NoRoom"
        assert undone(task) == []


def test_an_undo_whose_worker_is_lost_at_every_attempt_ends_the_task_as_failed():
    kills = [Kill(during="undo reserve", nth=nth) for nth in range(1, 30)]
    with MemorySwarm(book, part, faults=kills) as memory:
        task = memory.submit("book", how="fail")
        with pytest.raises(TaskFailed, match="the worker was lost 6 times") as failed:
            task.result()
        assert failed.value.error_type == "UndoFailed"
        undos = [
            span.name
            for attempt in task.timeline().spans
            for span in attempt.children
            if span.kind is SpanKind.UNDO
        ]
        assert undos == ["pay"]


@agent(timeout=100)
async def busy(*, ctx: TaskContext) -> str:
    """Do something that can be undone, and go on for a minute without looking up."""
    await did(ctx, "reserve")
    await asyncio.sleep(60)
    LEDGER.enter("over", ctx.task_id, "busy")
    return "busy"


def test_an_undo_waits_for_the_attempt_that_the_cancel_cut_off_and_no_longer():
    with MemorySwarm(busy) as memory:
        task = memory.submit("busy")
        memory.run(seconds=10)
        assert task.cancel() is Status.WORKING
        memory.run(seconds=20)
        assert undone(task) == []
        with pytest.raises(TaskCancelled):
            task.result(timeout=60)
        assert [key[0] for key in LEDGER.entries] == ["do", "over", "undo"]


def test_the_timeline_and_the_terminal_show_what_was_undone():
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how="fail")
        memory.run()
        told = task.timeline()
        attempts = [span for span in told.spans if span.kind is SpanKind.ATTEMPT]
        assert [one.outcome for one in attempts] == ["failed", "undone"]
        assert attempts[0].error == "NoRoom: no room"
        spans = [(one.kind.value, one.name) for one in attempts[1].children]
        assert spans == [("undo", "pay"), ("undo", "reserve")]
        assert any("undo of pay" in line for line in timeline_lines(told))


@agent(name="book", max_attempts=2)
async def without_undo(how: str, *, ctx: TaskContext) -> str:
    """Do what `book` does, by code that has lost its undos."""
    for what in ("reserve", "note", "pay"):
        await ctx.step(what, do, ctx, what)
    await ctx.sleep(HOUR)
    return how


def test_code_that_has_lost_an_undo_parks_the_task_until_it_is_there_again():
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how="sleep")
        memory.run(minutes=1)
        memory.deploy(without_undo)
        assert task.cancel() is Status.WORKING
        memory.run(hours=1)
        assert "undo" in memory.get(task.id).record.parked_now["why"]
        memory.deploy(book)
        with pytest.raises(TaskCancelled):
            task.result()
        assert undone(task) == ["pay", "reserve"]


def test_a_second_cancel_ends_a_task_that_nothing_can_undo_and_says_so():
    with MemorySwarm(book, part) as memory:
        task = memory.submit("book", how="sleep")
        memory.run(minutes=1)
        memory.deploy(without_undo)
        task.cancel()
        memory.run(minutes=1)
        assert task.cancel() is Status.CANCELLED
        assert memory.get(task.id).record.status_message == GIVEN_UP
        assert undone(task) == []
