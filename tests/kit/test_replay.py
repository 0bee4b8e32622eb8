"""replay: a recorded task against the code of today."""

import json
from dataclasses import dataclass

import pytest

from sqswarm import TaskContext, agent
from sqswarm.schemas.errors import UsageError
from sqswarm.testing import MemorySwarm, export_journal, replay
from sqswarm.workers.runtime.outcome import NonDeterministic

RAN: list[str] = []


@dataclass
class Approval:
    ok: bool


@agent
async def weigh(item: str) -> int:
    return len(item)


def note(what: str) -> str:
    RAN.append(what)
    return what


@agent(name="order", calls=["weigh"])
async def order(items: list[str], *, ctx: TaskContext) -> list[object]:
    weights = await ctx.map("weigh", [{"item": item} for item in items])
    first = await ctx.step("reserve", note, "reserve")
    said = await ctx.ask("approve", "Send it?", Approval)
    second = await ctx.step("charge", note, "charge" * 30_000)
    await ctx.sleep(86_400)
    return [weights, first, said.ok, len(second)]


@agent(name="order", calls=["weigh"])
async def swapped(items: list[str], *, ctx: TaskContext) -> list[object]:
    weights = await ctx.map("weigh", [{"item": item} for item in items])
    second = await ctx.step("charge", note, "charge" * 30_000)
    first = await ctx.step("reserve", note, "reserve")
    return [weights, first, second]


@agent(name="order", calls=["weigh"])
async def shortened(items: list[str], *, ctx: TaskContext) -> int:
    return len(await ctx.map("weigh", [{"item": item} for item in items]))


@agent(name="order", calls=["weigh"])
async def longer(items: list[str], *, ctx: TaskContext) -> list[object]:
    made = await order.function(items, ctx=ctx)
    await ctx.step("thank", note, "thank")
    return made


@pytest.fixture
def journals():
    """A task's journal as it was before, within and after its waits."""
    with MemorySwarm(weigh, order) as memory:
        task = memory.submit(order, items=["pen", "paper"])
        memory.run()
        asked = export_journal(memory, task.id)
        task.answer("approve", {"ok": True})
        memory.run(minutes=10)
        asleep = export_journal(memory, task.id)
        task.result()
        ended = export_journal(memory, task.id)
    RAN.clear()
    return [json.loads(json.dumps(one)) for one in (asked, asleep, ended)]


def test_the_same_code_comes_to_the_same_end_and_does_nothing(journals):
    replayed = replay(journals[2], order)
    assert replayed.returned
    assert replayed.result == [[3, 5], "reserve", True, 180_000]
    assert not RAN


@pytest.mark.parametrize(("at", "waits"), [(0, ("ask approve",)), (1, ("sleep 0",))])
def test_a_task_that_waits_is_led_to_its_wait(journals, at, waits):
    replayed = replay(journals[at], order)
    assert (replayed.returned, replayed.next, replayed.waits) == (False, None, waits)
    assert not RAN


def test_a_swapped_step_is_named_with_its_place(journals):
    with pytest.raises(NonDeterministic, match="operation 2 is 'step charge#0', where 'step res"):
        replay(journals[2], swapped)
    assert not RAN


def test_code_that_leaves_something_out_is_told_what(journals):
    with pytest.raises(NonDeterministic, match="ended without 'step reserve#0'"):
        replay(journals[2], shortened)


def test_what_is_new_at_the_end_is_not_done(journals):
    assert replay(journals[2], longer).next == "step thank"
    assert not RAN


def test_what_is_no_journal_is_refused():
    with pytest.raises(UsageError, match="no journal"):
        replay({"task": {}}, order)
