"""Redrive: an ended task becomes a new one, linked both ways, once."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from secrets import randbits

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Schedule, agent
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.client import Swarm
from sqswarm.dispatcher.lifecycle.dead_letters import Chosen, peek
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.lifecycle.redrive_letters import redrive_dead_letters
from sqswarm.dispatcher.schedule import submit_scheduled, tick_of
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import TaskNotFound, UnknownAgent, UsageError
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.lifecycle import Status

BROKEN = {"yes": True}


@agent(
    timeout=20, max_attempts=1, schedule=Schedule(expression="rate(1 minute)", arguments={"n": 9})
)
async def fragile(n: int) -> int:
    if BROKEN["yes"]:
        raise KeyError(n)
    return n


@pytest.fixture
def memory():
    BROKEN["yes"] = True
    return MemorySwarm(fragile)


async def test_a_redriven_task_is_a_new_one_linked_both_ways(memory):
    old = await memory.submit(fragile, n=1)
    await memory.settle_down()
    BROKEN["yes"] = False
    new = (await redrive(memory.connection, old)).task_id
    await memory.settle_down()
    assert (await memory.see(new)).result() == 1
    assert (await memory.record(new)).redriven_from == old
    assert (await memory.record(old)).redriven_as == new
    assert (await memory.record(old)).status is Status.FAILED


async def test_a_repeat_returns_the_same_new_task_and_runs_nothing_twice(memory):
    old = await memory.submit(fragile, n=1)
    await memory.settle_down()
    BROKEN["yes"] = False
    first = await redrive(memory.connection, old)
    again = await redrive(memory.connection, old)
    await memory.settle_down()
    assert await redrive(memory.connection, old) == first == again
    assert memory.waiting(fragile) == []


async def test_a_redrive_that_dies_before_the_link_is_finished_by_a_repeat(memory):
    old = await memory.submit(fragile, n=1)
    await memory.settle_down()
    BROKEN["yes"] = False
    memory.store.crash_before = "other"
    with pytest.raises(Exception, match="other"):
        await redrive(memory.connection, old)
    new = await redrive(memory.connection, old)
    await memory.settle_down()
    assert (await memory.record(old)).redriven_as == new.task_id
    assert (await memory.see(new.task_id)).result() == 1


async def test_what_has_not_ended_cannot_be_redriven(memory):
    task_id = await memory.submit(fragile, {"durable": True}, n=1)
    with pytest.raises(UsageError, match="still on its way"):
        await redrive(memory.connection, task_id)
    with pytest.raises(TaskNotFound):
        await redrive(memory.connection, new_task_id(0, randbits))


async def fail(memory, count):
    ids = [await memory.submit(fragile, n=n) for n in range(count)]
    await memory.settle_down()
    BROKEN["yes"] = False
    return ids


async def test_letters_show_what_why_and_since_when_and_stay(memory):
    [task_id] = await fail(memory, 1)
    for _ in range(2):
        [letter] = await peek(memory.connection, "fragile", limit=10)
        shown = letter.to_json()
        assert (shown["taskId"], shown["reason"], shown["attempts"]) == (task_id, "KeyError", 1)
        assert shown["since"].endswith("Z")


async def test_all_letters_are_redriven_at_a_rate(memory):
    ids = await fail(memory, 25)
    start = memory.clock.now_ms()
    told = [r async for r in redrive_dead_letters(memory.connection, "fragile", rate_per_s=5)]
    assert {r.letter.task_id for r in told} == set(ids)
    assert memory.clock.now_ms() - start == 5000
    await memory.settle_down()
    assert [(await memory.see(r.new.task_id)).status for r in told] == [Status.COMPLETED] * 25
    assert await peek(memory.connection, "fragile", limit=10) == []


def redrive_some(memory, **chosen):
    return redrive_dead_letters(memory.connection, "fragile", chosen=Chosen(**chosen))


async def test_one_letter_or_some_are_redriven(memory):
    ids = await fail(memory, 5)
    told = [r async for r in redrive_some(memory, task_ids=ids[1:2])]
    assert [r.letter.task_id for r in told] == ids[1:2]
    told = [r async for r in redrive_dead_letters(memory.connection, "fragile", limit=2)]
    assert len(told) == 2
    assert len(await peek(memory.connection, "fragile", limit=10)) == 2


def test_the_blocking_client_redrives_letters_without_an_event_loop(memory):
    run = asyncio.run
    run(fail(memory, 13))
    runner = BlockingRunner()
    swarm = Swarm(replace(memory.connection, runner=runner), runner)
    assert swarm.dead_letters("fragile").total == 13
    told = next(letters := swarm.redrive_dead_letters("fragile"))
    assert told.new is not None
    letters.close()  # as Ctrl-C does: ten went together
    assert len(swarm.dead_letters("fragile")) == 3
    assert len(list(swarm.redrive_dead_letters("fragile"))) == 3
    assert swarm.dead_letters("fragile") == []
    swarm.close()


async def test_an_unparsed_message_is_moved_back(memory):
    dead = "sqswarm-test-fragile-dlq"
    await memory.bus.send(dead, [Outgoing(id="x", body="not json", principal="me")])
    [told] = [r async for r in redrive_dead_letters(memory.connection, "fragile")]
    assert told.new is None
    assert memory.waiting(fragile) == ["not json"]
    assert memory.bus.bodies(dead) == []


async def test_a_tick_of_a_schedule_makes_one_task_however_often_it_fires(memory):
    BROKEN["yes"] = False
    at = "2027-01-15T08:00:00Z"
    first = await submit_scheduled(memory.connection, "fragile", 0, at=at)
    again = await submit_scheduled(memory.connection, "fragile", 0, at=at)
    later = await submit_scheduled(memory.connection, "fragile", 0, at="2027-01-15T08:01:00Z")
    assert first == again != later
    await memory.settle_down()
    assert (await memory.see(first.task_id)).result() == 9
    with pytest.raises(UsageError, match="no schedule number 1"):
        await submit_scheduled(memory.connection, "fragile", 1, at=at)
    with pytest.raises(UnknownAgent):
        await submit_scheduled(memory.connection, "nobody", 0, at=at)


async def test_a_task_tells_the_tick_that_made_it(memory):
    memory.clock.advance(seconds=90.5)
    at = f"{datetime.fromtimestamp(memory.clock.now_ms() // 1000 - 40, UTC):%Y-%m-%dT%H:%M:%SZ}"
    made = await submit_scheduled(memory.connection, "fragile", 0, at=at)
    record = await memory.record(made.task_id)
    assert (tick_of(record, 0), tick_of(record, 1)) == (at, None)
    by_hand = await memory.submit(fragile, {"durable": True}, n=9)
    assert tick_of(await memory.record(by_hand), 0) is None


def test_the_deployed_catalogue_keeps_the_schedules(memory):
    assert Catalogue.load(memory.catalogue.dump()) == memory.catalogue
    assert memory.catalogue.agent("fragile").schedules == (
        Schedule(expression="rate(1 minute)", arguments={"n": 9}),
    )
