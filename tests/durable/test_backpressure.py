"""Who submits can refuse, or wait, while an agent's oldest message is too old."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import agent
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.errors import Backlogged, UsageError
from sqswarm.testing import MemorySwarm as Swarm


@agent(timeout=20)
async def plain(n: int) -> int:
    return n


REFUSE = {"when_behind": "refuse"}


@pytest.fixture
def memory():
    made = MemorySwarm(plain)
    real = made.bus.oldest_s
    made.looked = []

    async def oldest_s(queues):
        made.looked.append(queues)
        return await real(queues)

    made.bus.oldest_s = oldest_s
    return made


async def test_a_submit_is_refused_while_the_backlog_is_too_old(memory):
    await memory.submit(plain, n=1)
    memory.clock.advance(seconds=60)
    await memory.submit(plain, REFUSE, n=2)
    memory.clock.advance(seconds=11)
    with pytest.raises(Backlogged, match="71 s behind, and 60 s"):
        await memory.submit(plain, REFUSE, n=3)
    await memory.submit(plain, {**REFUSE, "older_than_s": 300}, n=4)
    await memory.submit(plain, n=5)
    assert len(memory.waiting(plain)) == 4
    await memory.settle_down()
    memory.clock.advance(seconds=11)
    await memory.submit(plain, REFUSE, n=6)


async def test_a_loop_of_submits_asks_once_in_a_while(memory):
    for n in range(20):
        await memory.submit(plain, REFUSE, n=n)
    assert len(memory.looked) == 1
    memory.clock.advance(seconds=11)
    await memory.submit(plain, REFUSE, n=1)
    assert len(memory.looked) == 2


async def test_who_does_not_ask_for_it_makes_no_call(memory):
    await memory.submit(plain, n=1)
    assert memory.looked == []


async def test_an_age_of_a_queue_that_was_emptied_is_nobodys(memory):
    async def oldest_s(queues):
        return dict.fromkeys(queues, 999)

    memory.bus.oldest_s = oldest_s
    await memory.submit(plain, REFUSE, n=1)


async def test_one_request_of_many_refuses_all_of_them(memory):
    await memory.submit(plain, n=1)
    memory.clock.advance(seconds=61)
    requests = [Request(arguments={"n": 2}), Request(arguments={"n": 3}, **REFUSE)]
    with pytest.raises(Backlogged):
        await submit(memory.connection, "plain", requests)
    assert len(memory.waiting(plain)) == 1


@pytest.mark.parametrize("options", [{"when_behind": "panic"}, {**REFUSE, "older_than_s": 0}])
async def test_what_nobody_can_do_is_refused(memory, options):
    with pytest.raises(UsageError):
        await memory.submit(plain, options, n=1)


def test_who_waits_is_let_in_once_the_agent_has_caught_up():
    swarm = Swarm([plain])
    swarm.pause("plain")
    first = swarm.submit("plain", n=1)
    swarm.run(minutes=2)
    with pytest.raises(Backlogged):
        swarm.submit("plain", n=2, when_behind="wait", deadline=30)
    swarm.resume("plain")
    second = swarm.submit("plain", n=2, when_behind="wait")
    swarm.run()
    assert (first.result(), second.result()) == (1, 2)
