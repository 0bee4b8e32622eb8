"""Signals: what is sent into a task arrives once, in its order, whenever it was sent."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import BaseModel

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.send import send
from sqswarm.schemas.errors import (
    IdempotencyConflict,
    InvalidArguments,
    PayloadTooLarge,
    ReceiveTimedOut,
    TaskEnded,
    TaskFailed,
    TaskNotFound,
    TimedOut,
)
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.testing import Kill, MemorySwarm, export_journal, replay


class Price(BaseModel):
    cents: int


@agent(durability="durable")
async def collect(count: int, *, ctx: TaskContext) -> list[str]:
    """Return what is sent, in the order in which it came."""
    return [str(await ctx.receive("word", str)) for _ in range(count)]


@agent(durability="durable")
async def buy(*, ctx: TaskContext) -> int:
    """Wait for a price."""
    price = await ctx.receive("price", Price)
    return int(price.cents)


@agent(durability="durable")
async def hurry(*, ctx: TaskContext) -> list[object]:
    """Wait for a while, and once more."""
    try:
        first = await ctx.receive("go", timeout=60)
    except ReceiveTimedOut as error:
        first = f"nobody sent {error.topic}"
    return [first, await ctx.receive("go", str, timeout=60, on_timeout="by itself")]


@agent(durability="durable")
async def decide(*, ctx: TaskContext) -> list[object]:
    """Ask a person and wait for a program at the same time."""
    return await ctx.gather(ctx.ask("ok", "Go on?", bool), ctx.receive("price", Price))


@agent(durability="durable")
async def work(*, ctx: TaskContext) -> list[str]:
    """Receive between steps."""
    first = await ctx.receive("word", str)
    told = await ctx.step("tell", lambda: f"told {first}")
    return [told, await ctx.receive("word", str)]


AGENTS = (collect, buy, hurry, decide, work)


@pytest.fixture
def memory() -> MemorySwarm:
    return MemorySwarm(*AGENTS)


def test_a_waiting_task_has_no_worker_and_goes_on_with_what_is_sent(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=1)
    memory.run()
    [record] = memory.records
    assert (record.status, record.phase, record.lease_until_ms) == (
        Status.WORKING,
        Phase.RECEIVING,
        0,
    )
    assert record.to_json()["receives"] == ["word"]
    assert task.send("word", "hello") is Status.WORKING
    assert task.result() == ["hello"]


def test_values_come_in_the_order_in_which_they_were_sent(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=4)
    task.send("word", "a")
    task.send("other", "ignored")
    task.send("word", "b")
    memory.run()
    task.send("word", "c")
    memory.run()
    task.send("word", "d")
    assert task.result() == ["a", "b", "c", "d"]


def test_what_was_sent_before_costs_no_wait(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=3)
    for word in "abc":
        task.send("word", word)
    assert task.result() == ["a", "b", "c"]
    assert memory.records[0].waits is None


def test_a_value_that_is_sent_twice_under_one_key_arrives_once(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=2)
    task.send("word", "a", idempotency_key="1")
    memory.run()
    task.send("word", "a", idempotency_key="1")
    with pytest.raises(IdempotencyConflict):
        task.send("word", "b", idempotency_key="1")
    task.send("word", "b", idempotency_key="2")
    assert task.result() == ["a", "b"]
    assert task.send("word", "b", idempotency_key="2") is Status.COMPLETED


def test_an_ended_task_receives_nothing(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=1)
    memory.run()
    task.cancel()
    with pytest.raises(TaskEnded, match="cancelled"):
        task.send("word", "late")


def test_a_stranger_cannot_send(memory: MemorySwarm) -> None:
    task = memory.submit(collect, count=1)
    with pytest.raises(TaskNotFound):
        asyncio.run(send(memory.stage.connection_for("stranger"), task.id, "word", "x"))


def test_values_are_checked_where_it_is_known_what_is_wanted(memory: MemorySwarm) -> None:
    task = memory.submit(buy)
    memory.run()
    with pytest.raises(InvalidArguments, match="cents"):
        task.send("price", {"dollars": 1})
    task.send("price", Price(cents=5))
    assert task.result() == 5


def test_a_value_that_came_too_early_to_be_checked_is_the_agents_to_refuse(
    memory: MemorySwarm,
) -> None:
    task = memory.submit(buy)
    task.send("price", {"dollars": 1})
    with pytest.raises(TaskFailed, match="ValidationError"):
        task.result()


def test_a_receive_ends_with_its_time(memory: MemorySwarm) -> None:
    task = memory.submit(hurry)
    memory.run(minutes=2)
    memory.run(minutes=2)
    assert task.result() == ["nobody sent go", "by itself"]


def test_what_comes_after_a_time_out_is_the_next_receives(memory: MemorySwarm) -> None:
    task = memory.submit(hurry)
    memory.run(seconds=70)
    task.send("go", "late")
    assert task.result() == ["nobody sent go", "late"]


@pytest.mark.parametrize("answer_first", [True, False])
def test_a_question_and_a_signal_may_be_waited_for_together(
    memory: MemorySwarm, *, answer_first: bool
) -> None:
    task = memory.submit(decide)
    memory.run()
    assert task.status() is Status.INPUT_REQUIRED
    assert list(memory.records[0].to_json()["inputRequests"]) == ["ok"]
    if answer_first:
        assert task.answer("ok", value=True) is Status.WORKING
        assert memory.records[0].phase is Phase.RECEIVING
        task.send("price", {"cents": 1})
    else:
        assert task.send("price", {"cents": 1}) is Status.INPUT_REQUIRED
        task.answer("ok", value=True)
    assert task.result() == [True, {"cents": 1}]


def test_a_signal_is_no_question(memory: MemorySwarm) -> None:
    task = memory.submit(decide)
    memory.run()
    with pytest.raises(InvalidArguments, match="asks nothing"):
        task.answer("#price", {"cents": 1})


def test_what_a_result_waits_for_is_said(memory: MemorySwarm) -> None:
    task = memory.submit(work)
    with pytest.raises(TimedOut, match="a signal of word"):
        task.result()


def test_a_task_holds_only_so_much(memory: MemorySwarm) -> None:
    task = memory.submit(buy)
    with pytest.raises(InvalidArguments, match="33,002 bytes"):
        task.send("price", "x" * 33_000)
    for _ in range(4):
        task.send("other", "x" * 30_000)
    with pytest.raises(PayloadTooLarge):
        task.send("other", "x" * 30_000)
    with pytest.raises(InvalidArguments, match="topic"):
        task.send("a#b", 1)


def test_what_is_sent_while_the_agent_runs_is_there_when_it_waits(memory: MemorySwarm) -> None:
    sent: list[str] = []

    @agent(durability="durable", name="late")
    async def late(*, ctx: TaskContext) -> str:
        if not sent:
            sent.append("x")
            await memory._swarm.send(ctx.task_id, "word", "x")
        return str(await ctx.receive("word", str))

    memory.deploy(late)
    task = memory.submit("late")
    assert task.result() == "x"
    [attempt] = [a for a in memory.timeline(task.id).spans if a.name == "attempt 1"]
    assert attempt.outcome == "suspended"


def test_code_that_takes_other_values_parks_a_task(memory: MemorySwarm) -> None:
    task = memory.submit(buy)
    memory.run()
    task.send("price", {"cents": 1})

    @agent(name="buy", durability="durable")
    async def other(*, ctx: TaskContext) -> int:
        return int(await ctx.receive("price", int))

    memory.deploy(other)
    memory.run()
    assert memory.records[0].parked_now is not None
    memory.deploy(buy)
    assert task.result() == 1


def test_a_topic_that_cannot_be_one_ends_the_task(memory: MemorySwarm) -> None:
    @agent(name="wrong", durability="durable")
    async def wrong(*, ctx: TaskContext) -> None:
        with pytest.raises(Fail):
            await ctx.receive("a#b")

    memory.deploy(wrong)
    memory.submit("wrong").result()


def test_a_timeline_says_what_was_received_and_from_whom(memory: MemorySwarm) -> None:
    task = memory.submit(decide)
    memory.run()
    task.send("price", {"cents": 1})
    task.answer("ok", value=True)
    task.result()
    told = [(one.kind.value, one.name, one.outcome, one.by) for one in task.timeline().spans]
    assert ("receive", "price", "received", "me") in told
    assert ("ask", "ok", "answered", "me") in told


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_a_journal_with_signals_is_replayed(memory: MemorySwarm, sent: int) -> None:
    task = memory.submit(work)
    memory.run()
    for word in ("a", "b")[:sent]:
        task.send("word", word)
        memory.run()
    replayed = replay(export_journal(memory, task.id), work)
    assert (replayed.waits, replayed.result) == [
        (("receive word",), None),
        (("receive word#2",), None),
        ((), ["told a", "b"]),
    ][sent]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["receive word", "receive word#2", "step tell", "settle"])
def test_a_worker_may_die_anywhere(when: str, operation: str) -> None:
    memory = MemorySwarm(work, faults=[Kill(**{when: operation})])
    task = memory.submit(work)
    memory.run()
    for word in ("a", "b"):
        task.send("word", word)
        memory.run()
    assert task.result() == ["told a", "b"]
    assert not memory.faults.left


def test_a_record_of_the_last_release_is_answered() -> None:
    """It counts no answers: then there may be some, and none that was counted."""
    memory = MemorySwarm(twice)
    task = memory.submit(twice)
    memory.run()
    task.answer("n", 1)
    memory.run()
    for key, item in memory.stage.store.items.items():
        if key.sk == "task":
            memory.stage.store.items[key] = {k: v for k, v in item.items() if k != "given"}
    task.answer("n#2", 2)
    task.send("last", 3)
    assert task.result() == [1, 2, 3]


@agent(durability="durable")
async def twice(*, ctx: TaskContext) -> list[int]:
    """Ask twice, and receive."""
    asked = [await ctx.ask("n", "N?", int), await ctx.ask("n", "N?", int)]
    return [*asked, await ctx.receive("last", int)]


FAILS: list[str] = []


@agent(durability="durable", max_attempts=1)
async def fragile(*, ctx: TaskContext) -> list[str]:
    """Receive, before and after a step that fails at first."""
    first = await ctx.receive("word", str)
    second = await ctx.receive("word", str)

    def tell() -> str:
        FAILS.append(second)
        if len(FAILS) == 1:
            raise Fail("not yet")
        return f"told {first}"

    return [await ctx.step("note", lambda: first), await ctx.step("tell", tell), second]


@pytest.mark.parametrize("early", [True, False])
def test_a_task_that_is_redriven_from_a_step_takes_its_signals_along(*, early: bool) -> None:
    FAILS.clear()
    memory = MemorySwarm(fragile)
    task = memory.submit(fragile)
    for word in ("a", "b", "c"):
        if not early:
            memory.run()
        if not task.status().terminal:
            task.send("word", word)
    with pytest.raises(TaskFailed):
        task.result()
    again = memory.redrive(task.id, from_step="tell")
    assert again.result() == ["a", "told a", "b"]
