"""Dead letters by the hundred: totals, pages, groups by reason, and redrives of a group."""

from dataclasses import replace
from secrets import randbits

import pytest
from memory_swarm import MemorySwarm

from sqswarm import agent
from sqswarm.backends.ports.bus import Outgoing, OutgoingDeadLetter
from sqswarm.backends.runner import BlockingRunner
from sqswarm.dispatcher.client import Swarm
from sqswarm.dispatcher.lifecycle.dead_letter_groups import EXAMPLES, group_dead_letters
from sqswarm.dispatcher.lifecycle.dead_letters import Chosen, peek
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.lifecycle.redrive_letters import redrive_dead_letters, remove_redriven
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.message import Message
from sqswarm.schemas.naming import UNROUTED

BROKEN = {"yes": True}
DEAD = "sqswarm-test-brittle-dlq"


@agent(timeout=20, max_attempts=1)
async def brittle(n: int) -> int:
    if BROKEN["yes"]:
        raise (KeyError if n % 5 else ValueError)(n)
    return n


@pytest.fixture
def memory():
    BROKEN["yes"] = True
    return MemorySwarm(brittle)


async def fail(memory, count):
    ids = []
    for n in range(count):
        memory.clock.advance(seconds=1)
        ids.append(await memory.submit(brittle, n=n))
        await memory.settle_down()
    BROKEN["yes"] = False
    return ids


async def redriven(memory, **fields):
    chosen = Chosen(**fields)
    return [r async for r in redrive_dead_letters(memory.connection, "brittle", chosen=chosen)]


async def test_a_page_says_how_many_there_are_and_the_next_goes_on(memory):
    ids = await fail(memory, 25)
    pages = [
        await peek(memory.connection, "brittle", limit=10, offset=offset) for offset in (0, 10, 20)
    ]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert {page.total for page in pages} == {25}
    assert [letter.task_id for page in pages for letter in page] == ids
    assert (await memory.bus.depth(DEAD)).waiting == 25


async def test_letters_that_somebody_looks_at_count_but_cannot_be_seen(memory):
    await fail(memory, 3)
    await memory.bus.receive(DEAD, limit=2, wait_s=0)
    page = await peek(memory.connection, "brittle", limit=10)
    assert (len(page), page.total) == (1, 3)


async def test_letters_are_grouped_by_reason_with_their_newest_as_examples(memory):
    ids = await fail(memory, 25)
    await memory.bus.dead_letter(
        DEAD,
        OutgoingDeadLetter(body="{", reason="not-json", detail="", failed_at="whenever"),
        group=None,
    )
    groups = await group_dead_letters(memory.connection, ["brittle", UNROUTED])
    assert [(g.agent, g.reason, g.count) for g in groups] == [
        ("brittle", "KeyError", 20),
        ("brittle", "ValueError", 5),
        ("brittle", "not-json", 1),
    ]
    assert (groups.looked_at, groups.total) == (26, 26)
    assert [letter.task_id for letter in groups[0].examples] == ids[-1 : -EXAMPLES - 1 : -1]
    assert groups[0].oldest_ms < groups[0].newest_ms
    assert groups[1].to_json()["examples"][0]["reason"] == "ValueError"
    assert (await memory.bus.depth(DEAD)).waiting == 26


async def test_a_group_is_redriven_and_the_others_stay(memory):
    ids = await fail(memory, 25)
    told = await redriven(memory, reason="ValueError")
    assert {r.letter.task_id for r in told} == set(ids[::5])
    assert all(r.new and r.error is None for r in told)
    [group] = await group_dead_letters(memory.connection, ["brittle"])
    assert (group.reason, group.count) == ("KeyError", 20)


async def test_only_what_was_given_up_since_then_is_redriven(memory):
    ids = await fail(memory, 6)
    since_ms = (await memory.record(ids[4])).updated_ms
    assert {r.letter.task_id for r in await redriven(memory, since_ms=since_ms)} == set(ids[4:])


async def test_a_redrive_that_is_broken_off_goes_on_and_makes_no_task_twice(memory):
    ids = await fail(memory, 25)
    letters = redrive_dead_letters(memory.connection, "brittle")
    first = await anext(letters)
    await letters.aclose()
    rest = await redriven(memory)
    await memory.settle_down()
    assert first.letter.task_id == ids[0]
    assert len(rest) == 15
    links = [(await memory.record(task_id)).redriven_as for task_id in ids]
    assert None not in links
    assert len(set(links)) == 25
    assert await group_dead_letters(memory.connection, ["brittle"]) == []


async def test_what_fails_once_more_meanwhile_is_left_where_it_is(memory):
    ids = await fail(memory, 12)
    BROKEN["yes"] = True
    await memory.bus.send(DEAD, [Outgoing(id="x", body="not json", principal="me")])
    told = []
    async for one in redrive_dead_letters(memory.connection, "brittle"):
        await memory.settle_down()
        told.append(one.letter.task_id)
    assert sorted(told, key=str) == sorted([*ids, None], key=str)
    assert (await memory.bus.depth(DEAD)).waiting == 13


async def test_letters_of_tasks_that_were_redriven_by_their_id_are_removed(memory):
    ids = await fail(memory, 4)
    await redrive(memory.connection, ids[2])
    assert await remove_redriven(memory.connection, "brittle") == 1
    left = await peek(memory.connection, "brittle", limit=10)
    assert [letter.task_id for letter in left] == [*ids[:2], ids[3]]


async def test_what_no_agent_wanted_goes_to_its_agent_once_there_is_one(memory):
    nowhere = "sqswarm-test-unrouted-dlq"
    for name in ("brittle", "nobody"):
        message = Message(
            id=new_task_id(0, randbits), name=name, arguments={"n": 1}, principal="me"
        )
        await memory.bus.send(nowhere, [Outgoing(id=name, body=message.encode(), principal="me")])
    await memory.bus.send(nowhere, [Outgoing(id="y", body="{", principal="me")])
    told = [r async for r in redrive_dead_letters(memory.connection, UNROUTED)]
    assert [type(r.error).__name__ for r in told] == ["NoneType", "UnknownAgent", "UnknownAgent"]
    assert len(memory.waiting(brittle)) == 1
    assert len(memory.bus.bodies(nowhere)) == 2


def test_the_blocking_client_groups_and_pages_alike(memory):
    import asyncio

    asyncio.run(fail(memory, 15))
    runner = BlockingRunner()
    with Swarm(replace(memory.connection, runner=runner), runner) as swarm:
        assert [(g.reason, g.count) for g in swarm.dead_letter_groups()] == [
            ("KeyError", 12),
            ("ValueError", 3),
        ]
        page = swarm.dead_letters("brittle", limit=2, offset=1, reason="ValueError")
        assert (len(page), page.total) == (2, 15)
        assert len(list(swarm.redrive_dead_letters("brittle", reason="ValueError"))) == 3
        assert swarm.dead_letter_groups("brittle").total == 12
