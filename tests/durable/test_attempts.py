"""A task's record keeps its attempts: when, where and how each ended; within bounds."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_swarm import MemorySwarm

from sqswarm import Fail, Retry, TaskContext, agent
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.history import (
    FIRST_KEPT,
    LAST_KEPT,
    AttemptOutcome,
    attempts,
    began,
    with_attempt,
)
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Set
from sqswarm.workers.runtime.acquire import acquire
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.job import job_of

A_UUID = "1ebe78ae-1cb4-4a50-b821-3847b3b38c4f"
KEY = f"sk-ant-{'a' * 30}"
SAID = {"text": ""}
STEPPED = asyncio.Event()


@agent(timeout=20, max_attempts=9)
async def moody(moods: str, *, ctx: TaskContext) -> str:
    mood = moods.split(",")[ctx.attempt - 1]
    if mood == "fail":
        raise Fail(f"never {KEY}", type="Never")
    if mood == "raise":
        raise Retry(SAID["text"], after=1)
    return mood


@agent(timeout=20, max_attempts=2, durability="durable")
async def solid(n: int) -> int:
    return n


@agent(timeout=20, durability="lean")
async def lean(n: int) -> int:
    return n


@agent(timeout=20, max_attempts=9)
async def slow(*, ctx: TaskContext) -> None:
    await ctx.step("one", lambda: 1)
    STEPPED.set()
    await asyncio.sleep(60)


@agent(timeout=20)
async def sleepy(naps: int, *, ctx: TaskContext) -> None:
    for _ in range(naps):
        await ctx.sleep(1)


@pytest.fixture
def memory():
    return MemorySwarm(moody, solid, lean, slow, sleepy)


async def history(memory, task_id):
    return attempts(await memory.record(task_id), now_ms=memory.clock.now_ms())


async def outcomes(memory, task_id):
    found = await history(memory, task_id)
    return [None if one.outcome is None else one.outcome.value for one in found.attempts]


def named(memory, one, name):
    """Return the runtime of a worker with a name."""
    return Runtime(replace(memory.worker(one), name=name))


async def deliver(memory, one, runtime, *, request_id=""):
    deliveries = await memory.bus.receive(memory.queue(one), limit=10, wait_s=0)
    result = await runtime.handle(deliveries, request_id=request_id)
    await memory.bus.delete(memory.queue(one), result.delete)


async def die(memory, one, name="", *, wait=True):
    """A worker acquires and is killed."""
    [delivery] = await memory.bus.receive(memory.queue(one), limit=1, wait_s=0)
    worker = replace(memory.worker(one), name=name)
    job = job_of(delivery, one.spec, token=f"token-{delivery.receipt}", request_id="r")
    await acquire(worker, [job])
    if wait:
        memory.clock.advance(seconds=one.spec.visibility_s + 1)


async def test_each_attempt_says_when_where_and_how_it_ended(memory):
    SAID["text"] = f"busy\n\x1b[2J {KEY} {'ü' * 5000}"
    task_id = await memory.submit(moody, moods="raise,fine")
    start, request_id = memory.clock.now_ms(), str(uuid4())
    await deliver(memory, moody, named(memory, moody, "a1b2c3d4"), request_id=request_id)
    memory.clock.advance(seconds=5)
    await deliver(memory, moody, named(memory, moody, "host/7"))
    first, second = (await history(memory, task_id)).attempts
    assert (first.outcome, first.began_ms, first.ended_ms) == ("retried", start, start)
    assert (first.worker, first.request_id, first.error_type) == ("a1b2c3d4", request_id, "Retry")
    assert first.error.startswith("busy \x1b[2J [secret] üü")
    assert len(first.error.encode()) <= 200
    assert (second.outcome, second.began_ms) == ("completed", start + 5000)
    assert (second.worker, second.request_id, second.error) == ("host/7", "", None)


async def test_a_failed_task_keeps_its_error_once(memory):
    task_id = await memory.submit(moody, moods="fail")
    await memory.work(moody)
    assert await outcomes(memory, task_id) == ["failed"]
    record = await memory.record(task_id)
    assert "Never" not in record.history
    assert record.error["message"] == "never [secret]"


async def test_an_attempt_that_runs_has_no_end(memory):
    task_id = await memory.submit(solid, n=1)
    await die(memory, solid, "w", wait=False)
    [runs] = (await history(memory, task_id)).attempts
    assert (runs.outcome, runs.ended_ms, runs.worker, runs.request_id) == (None, None, "w", "r")
    memory.clock.advance(seconds=solid.spec.lease_s + 1)
    [lost] = (await history(memory, task_id)).attempts
    assert lost.outcome == "lost"
    assert lost.ended_ms - lost.began_ms == 1000 * solid.spec.lease_s


async def test_a_killed_workers_attempt_is_entered_as_lost_by_the_next(memory):
    task_id = await memory.submit(solid, n=1)
    await die(memory, solid, "killed")
    await deliver(memory, solid, named(memory, solid, "heir"))
    lost, done = (await history(memory, task_id)).attempts
    assert [(one.outcome, one.worker) for one in (lost, done)] == [
        ("lost", "killed"),
        ("completed", "heir"),
    ]
    assert lost.ended_ms == lost.began_ms + 1000 * solid.spec.lease_s


async def test_housekeepings_message_does_not_hide_a_lost_attempt(memory):
    """It names the version that the lost worker wrote, so an acquire need not read the record."""
    task_id = await memory.submit(solid, n=1)
    await die(memory, solid)
    memory.bus._queues[memory.queue(solid)].messages.clear()
    await memory.housekeep(minutes=3)
    assert await outcomes(memory, task_id) == ["lost", "completed"]


async def test_one_whose_workers_were_all_lost_has_all_of_them(memory):
    task_id = await memory.submit(solid, n=1)
    await die(memory, solid)
    await die(memory, solid)
    await memory.work(solid)
    record = await memory.record(task_id)
    assert (record.status, record.began) == (Status.FAILED, None)
    assert await outcomes(memory, task_id) == ["lost", "lost"]


async def test_an_attempt_that_was_cancelled_says_so(memory):
    task_id = await memory.submit(solid, n=1)
    await die(memory, solid, wait=False)
    memory.clock.advance(seconds=2)
    await cancel(memory.connection, task_id, agent="solid")
    [one] = (await history(memory, task_id)).attempts
    assert (one.outcome, one.ended_ms - one.began_ms) == ("cancelled", 2000)


async def test_a_worker_that_was_told_to_stop_hands_its_attempt_back(memory):
    task_id = await memory.submit(slow)
    runtime, stopping = named(memory, slow, "w"), asyncio.Event()
    runtime.keep_leases(stopping)
    running = asyncio.ensure_future(deliver(memory, slow, runtime))
    await STEPPED.wait()
    stopping.set()
    await running
    assert await outcomes(memory, task_id) == ["handed-back"]


async def test_a_lean_tasks_one_write_holds_its_attempt(memory):
    task_id = await memory.submit(lean, n=1)
    with memory.counting() as counts:
        await deliver(memory, lean, named(memory, lean, "w"), request_id="r")
    assert counts == {"settle": 1}
    [one] = (await history(memory, task_id)).attempts
    assert (one.outcome, one.worker, one.request_id) == ("completed", "w", "r")


async def test_of_many_attempts_the_first_and_the_last_are_kept(memory):
    start = memory.clock.now_ms()
    task_id = await memory.submit(sleepy, naps=58)
    for _ in range(59):
        await memory.settle_down()
        memory.clock.advance(seconds=2)
    found = await history(memory, task_id)
    begins = [(one.began_ms - start) // 2000 for one in found.attempts]
    assert begins == [*range(10), *range(19, 59)]
    assert found.left_out == 9
    assert found.attempts[-1].outcome == "completed"


async def test_what_history_adds_to_a_task_is_little(memory):
    """A record is billed by the kilobyte: twice for each task."""
    task_id = await memory.submit(solid, n=1)
    worker, request_id = named(memory, solid, "a1b2c3d4"), str(uuid4())
    await deliver(memory, solid, worker, request_id=request_id)
    record = await memory.record(task_id)
    assert len("history" + record.history) < 80
    assert len("began" + began(record.created_ms, "a1b2c3d4", request_id)) < 60


async def test_a_record_without_room_loses_its_history_and_not_its_task(memory, monkeypatch):
    SAID["text"] = "again"
    task_id = await memory.submit(moody, moods="raise,fine")
    real = memory.store.write

    async def write(one):
        if any(isinstance(change, Set) and change.name == "history" for change in one.changes):
            message = "an item has up to 409,600 bytes"
            raise NotStorable(message)
        return await real(one)

    monkeypatch.setattr(memory.store, "write", write)
    await memory.work(moody)
    memory.clock.advance(seconds=2)
    await memory.work(moody)
    assert (await memory.record(task_id)).status is Status.COMPLETED


def record(**changes):
    fields = {"task_id": "t", "agent": "a", "principal": "p", "status": Status.WORKING, "v": "v",
              "durability": Durability.STANDARD, "created_ms": 0, "updated_ms": 0}  # fmt: skip
    return TaskRecord(**{**fields, **changes})


@given(st.lists(st.tuples(st.text(), st.text()), max_size=120), st.text(), st.text())
def test_whatever_errors_say_the_history_stays_small(errors, worker, request_id):
    made = record()
    for number, (kind, message) in enumerate(errors, 1):
        text = with_attempt(
            made,
            began(1000 * number, worker * 20, request_id * 20),
            attempt=number,
            ended_ms=1000 * number + 5,
            outcome=AttemptOutcome.RETRIED,
            error_type=kind * 99,
            error=message * 99,
        )
        made = replace(made, history=text)
    found = attempts(made, now_ms=0)
    assert len(found.attempts) == min(len(errors), FIRST_KEPT + LAST_KEPT)
    assert len(found.attempts) + found.left_out == len(errors)
    assert len((made.history or "").encode()) <= 32 * 1024
    assert all(one.ended_ms == one.began_ms + 5 for one in found.attempts)


@pytest.mark.parametrize("request_id", ["", "7", "x" * 22, A_UUID, A_UUID.upper()])
def test_a_request_id_reads_back_as_it_was(request_id):
    text = began(5, "worker", request_id)
    [one] = attempts(record(began=text, attempt=1), now_ms=9).attempts
    assert (one.began_ms, one.worker) == (5, "worker")
    assert one.request_id in {request_id, request_id.lower()} or len(request_id) == 22


def test_an_old_records_task_has_no_attempts_to_show():
    assert attempts(record(attempt=3), now_ms=1).attempts == ()
