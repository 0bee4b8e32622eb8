"""Redrive: an ended task becomes a new one, linked both ways, once."""

import asyncio
from dataclasses import replace

import pytest
from memory_swarm import House

from sqswarm import Schedule, agent
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.client import Swarm
from sqswarm.dispatcher.lifecycle.dead_letters import peek
from sqswarm.dispatcher.lifecycle.redrive import redrive, redrive_letters
from sqswarm.dispatcher.schedule import submit_scheduled
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
def house():
    BROKEN["yes"] = True
    return House(fragile)


async def test_a_redriven_task_is_a_new_one_linked_both_ways(house):
    old = await house.submit(fragile, n=1)
    await house.settle_down()
    BROKEN["yes"] = False
    new = (await redrive(house.desk, old)).task_id
    await house.settle_down()
    assert (await house.see(new)).result() == 1
    assert (await house.record(new)).redriven_from == old
    assert (await house.record(old)).redriven_as == new
    assert (await house.record(old)).status is Status.FAILED


async def test_a_repeat_returns_the_same_new_task_and_runs_nothing_twice(house):
    old = await house.submit(fragile, n=1)
    await house.settle_down()
    BROKEN["yes"] = False
    first = await redrive(house.desk, old)
    again = await redrive(house.desk, old)
    await house.settle_down()
    assert await redrive(house.desk, old) == first == again
    assert house.waiting(fragile) == []


async def test_a_redrive_that_dies_before_the_link_is_finished_by_a_repeat(house):
    old = await house.submit(fragile, n=1)
    await house.settle_down()
    BROKEN["yes"] = False
    house.store.crash_before = "other"
    with pytest.raises(Exception, match="other"):
        await redrive(house.desk, old)
    new = await redrive(house.desk, old)
    await house.settle_down()
    assert (await house.record(old)).redriven_as == new.task_id
    assert (await house.see(new.task_id)).result() == 1


async def test_what_has_not_ended_cannot_be_redriven(house):
    task_id = await house.submit(fragile, {"durable": True}, n=1)
    with pytest.raises(UsageError, match="still on its way"):
        await redrive(house.desk, task_id)
    with pytest.raises(TaskNotFound):
        await redrive(house.desk, new_task_id(0))


async def fail(house, count):
    ids = [await house.submit(fragile, n=n) for n in range(count)]
    await house.settle_down()
    BROKEN["yes"] = False
    return ids


async def test_letters_show_what_why_and_since_when_and_stay(house):
    [task_id] = await fail(house, 1)
    for _ in range(2):
        [letter] = await peek(house.desk, "fragile", limit=10)
        shown = letter.to_json()
        assert (shown["taskId"], shown["reason"], shown["attempts"]) == (task_id, "KeyError", 1)
        assert shown["since"].endswith("Z")


async def test_all_letters_are_redriven_at_a_rate(house):
    ids = await fail(house, 25)
    start = house.clock.now_ms()
    told = [r async for r in redrive_letters(house.desk, "fragile", rate_per_s=5)]
    assert {r.letter.task_id for r in told} == set(ids)
    assert house.clock.now_ms() - start == 5000
    await house.settle_down()
    assert [(await house.see(r.new.task_id)).status for r in told] == [Status.COMPLETED] * 25
    assert await peek(house.desk, "fragile", limit=10) == []


async def test_one_letter_or_some_are_redriven(house):
    ids = await fail(house, 5)
    told = [r async for r in redrive_letters(house.desk, "fragile", task_ids=ids[1:2])]
    assert [r.letter.task_id for r in told] == ids[1:2]
    told = [r async for r in redrive_letters(house.desk, "fragile", limit=2)]
    assert len(told) == 2
    assert len(await peek(house.desk, "fragile", limit=10)) == 2


def test_the_blocking_client_redrives_letters_without_an_event_loop(house):
    run = asyncio.run
    run(fail(house, 3))
    runner = BlockingRunner()
    swarm = Swarm(replace(house.desk, runner=runner), runner)
    assert len(swarm.dead_letters("fragile")) == 3
    told = next(letters := swarm.redrive_letters("fragile"))
    assert told.new is not None
    letters.close()
    assert len(swarm.dead_letters("fragile")) == 2
    assert len(list(swarm.redrive_letters("fragile"))) == 2
    assert swarm.dead_letters("fragile") == []
    swarm.close()


async def test_an_unparsed_message_is_moved_back(house):
    dead = "sqswarm-test-fragile-dlq"
    await house.bus.send(dead, [Outgoing(id="x", body="not json", principal="me")])
    [told] = [r async for r in redrive_letters(house.desk, "fragile")]
    assert told.new is None
    assert house.waiting(fragile) == ["not json"]
    assert house.bus.bodies(dead) == []


async def test_a_tick_of_a_schedule_makes_one_task_however_often_it_fires(house):
    BROKEN["yes"] = False
    at = "2027-01-15T08:00:00Z"
    first = await submit_scheduled(house.desk, "fragile", 0, at=at)
    again = await submit_scheduled(house.desk, "fragile", 0, at=at)
    later = await submit_scheduled(house.desk, "fragile", 0, at="2027-01-15T08:01:00Z")
    assert first == again != later
    await house.settle_down()
    assert (await house.see(first.task_id)).result() == 9
    with pytest.raises(UsageError, match="no schedule number 1"):
        await submit_scheduled(house.desk, "fragile", 1, at=at)
    with pytest.raises(UnknownAgent):
        await submit_scheduled(house.desk, "nobody", 0, at=at)


def test_the_deployed_catalogue_keeps_the_schedules(house):
    assert Catalogue.load(house.catalogue.dump()) == house.catalogue
    assert house.catalogue.agent("fragile").schedules == (
        Schedule(expression="rate(1 minute)", arguments={"n": 9}),
    )
