"""A paused agent: nothing begins, nothing is lost, nothing is used up."""

import pytest

from sqswarm import TaskContext, agent
from sqswarm.dispatcher.pause import read_paused
from sqswarm.schemas.errors import UnknownAgent, Unreachable
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.paused import PAUSED_KEY
from sqswarm.testing import MemorySwarm

RAN = []


@agent(max_attempts=1)
async def plain(n: int) -> int:
    RAN.append(n)
    return n


@agent(durability="durable", max_attempts=1)
async def kept(n: int, *, ctx: TaskContext) -> int:
    await ctx.step("n", lambda: RAN.append(n))
    await ctx.sleep(60)
    return n


@agent(durability="durable")
async def parent(n: int, *, ctx: TaskContext) -> int:
    return await ctx.call(kept, n=n)


@pytest.fixture
def memory():
    RAN.clear()
    with MemorySwarm(plain, kept, parent) as swarm:
        yield swarm


def test_what_is_submitted_to_a_paused_agent_waits_for_weeks_and_uses_nothing_up(memory):
    memory.pause("kept")
    tasks = [memory.submit(kept, n=n) for n in range(3)]
    memory.run(days=40)
    assert RAN == []
    assert [task.status() for task in tasks] == [Status.WORKING] * 3
    assert [memory.get(task.id).record.attempt for task in tasks] == [0, 0, 0]
    memory.resume("kept")
    assert [task.result() for task in tasks] == [0, 1, 2]
    assert [memory.get(task.id).record.attempt for task in tasks] == [1, 1, 1]


def test_a_swarm_that_only_waits_for_a_paused_agent_is_at_rest(memory):
    memory.pause("kept")
    task = memory.submit(kept, n=1)
    before_ms = memory.clock.now_ms()
    memory.run()
    assert memory.clock.now_ms() - before_ms < 3_600_000
    memory.resume()
    assert task.result() == 1


def test_others_go_on_and_a_parent_waits_for_a_paused_child(memory):
    memory.pause("kept")
    waiting = memory.submit(parent, n=7)
    assert memory.submit(plain, n=1).result() == 1
    memory.run(days=2)
    assert waiting.status() is Status.WORKING
    memory.resume("kept")
    assert waiting.result() == 7


def test_a_sleeper_that_wakes_while_its_agent_is_paused_goes_on_afterwards(memory):
    task = memory.submit(kept, n=5)
    memory.run(seconds=5)
    assert RAN == [5]
    memory.pause(kept)
    memory.run(hours=5)
    assert task.status() is Status.WORKING
    memory.resume(kept)
    assert task.result() == 5
    assert RAN == [5]


def test_it_is_said_since_when_and_by_whom_and_a_second_pause_changes_nothing(memory):
    first = dict(memory.pause("plain"))
    memory.run(minutes=5)
    assert dict(memory.pause()) == {**memory.paused()}
    assert memory.paused()["plain"] == first["plain"]
    assert memory.paused().keys() == {"plain", "kept", "parent"}
    assert first["plain"].by == "me"
    assert [one.paused for one in memory.stats().agents if one.agent == "plain"] == [first["plain"]]
    assert memory.resume("plain").keys() == {"kept", "parent"}
    assert memory.resume() == {}


def test_an_agent_that_is_not_there_is_refused_before_any_is_paused(memory):
    with pytest.raises(UnknownAgent, match="no agent 'plian'"):
        memory.pause("plian")
    assert memory.paused() == {}


async def test_two_who_pause_at_once_are_both_heard(memory):
    blobs = memory.stage.blobs
    connection = memory.stage.connection_for("other", operator=True)
    swap, met = blobs.swap, []

    async def meddle(key, data, *, tag):
        if not met:
            met.append(await swap(PAUSED_KEY, b'{"plain": {"at_ms": 1, "by": "other"}}', tag=tag))
        return await swap(key, data, tag=tag)

    blobs.swap = meddle
    memory.pause("kept")
    assert met == [True]
    assert (await read_paused(connection)).keys() == {"plain", "kept"}


def test_who_is_never_heard_is_told_so(memory):
    async def refuse(key, data, *, tag):
        del key, data, tag
        return False

    memory.stage.blobs.swap = refuse
    with pytest.raises(Unreachable, match="who is paused"):
        memory.pause("plain")
