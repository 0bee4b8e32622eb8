"""Calls that several share: fewer the busier it is, and an error is its asker's only."""

import asyncio

import pytest

from sqswarm.backends.aws.together import Together
from sqswarm.backends.runner import run_straight


class Calls:
    """A call that takes its time, refuses what is negative, and notes what it was made for."""

    def __init__(self):
        self.made = []
        self.most = self.now = 0
        self.shared = Together(self.call, size=10)

    async def call(self, items):
        self.made.append(list(items))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.01)
        finally:
            self.now -= 1
        if any(item < 0 for item in items):
            raise ValueError(f"one of {len(items)}")
        return {item: 2 * item for item in items}


@pytest.fixture
def calls():
    return Calls()


async def ask(calls, *items):
    answer = await calls.shared.ask(items)
    return [answer[item] for item in items]


async def test_one_alone_is_asked_for_at_once(calls):
    assert await ask(calls, 1) == [2]
    assert await ask(calls, 1, 2) == [2, 4]
    assert calls.made == [[1], [1, 2]]


async def test_what_is_asked_at_one_time_goes_together_and_everybody_gets_their_own(calls):
    got = await asyncio.gather(*(ask(calls, n) for n in range(200)))
    assert got == [[2 * n] for n in range(200)]
    assert len(calls.made) == 20
    assert max(map(len, calls.made)) == 10
    assert calls.most == 4


async def test_many_at_once_take_no_more_than_fit(calls):
    await asyncio.gather(ask(calls, *range(7)), ask(calls, *range(7, 11)), ask(calls, 11, 12, 13))
    assert calls.made == [[*range(7)], [*range(7, 14)]]
    await ask(calls, *range(25))
    assert calls.made[2:] == [[*range(25)]]


async def test_an_error_is_its_askers_only(calls):
    got = await asyncio.gather(*(ask(calls, n) for n in (1, -1, 2)), return_exceptions=True)
    assert got[0::2] == [[2], [4]]
    assert str(got[1]) == "one of 1"
    assert await ask(calls, 3) == [6]


async def test_who_gives_up_costs_the_others_nothing(calls):
    busy = [asyncio.ensure_future(ask(calls, *range(9))) for _ in range(4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone, stays = (asyncio.ensure_future(ask(calls, n)) for n in (20, 21))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == [42]
    assert [21] in calls.made
    with pytest.raises(asyncio.CancelledError):
        await gone
    await asyncio.gather(*busy)


async def test_one_who_gives_up_during_the_call_costs_the_others_nothing(calls):
    gone, stays = (asyncio.ensure_future(ask(calls, n)) for n in (20, 21))
    await asyncio.sleep(0.005)
    gone.cancel()
    assert await stays == [42]
    assert calls.made == [[20, 21]]


def test_each_event_loop_starts_afresh(calls):
    for _ in range(2):
        assert asyncio.run(ask(calls, 4)) == [8]


def test_without_an_event_loop_each_asks_for_itself():
    async def call(items):
        return len(items)

    assert run_straight(Together(call, size=10).ask([1, 2])) == 2
