"""A finished result waits for no neighbour: within 20 ms + 10 % of its run (Amendment 6)."""

import asyncio
from unittest.mock import patch

import pytest

import sqswarm
from sqswarm import Middleware, TaskContext, agent
from sqswarm.dispatcher.submit import Request
from sqswarm.testing import MemorySwarm

CALL_S = 0.008
"""What a call to the table takes."""


class Late(Middleware):
    """How many milliseconds each attempt ran, and was recorded after that."""

    def __init__(self):
        self.seen = []

    def after_attempt(self, attempt):
        ran_ms = attempt.ended_ms - attempt.began_ms
        self.seen.append((ran_ms, attempt.recorded_ms - attempt.ended_ms))


@pytest.fixture
def late():
    late = Late()
    sqswarm.add_middleware(late)
    yield late
    sqswarm.remove_middleware(late)


@agent(timeout=120)
async def standard(ms: int) -> int:
    await asyncio.sleep(ms / 1000)
    return ms


@agent(timeout=120, durability="lean")
async def lean(ms: int) -> int:
    await asyncio.sleep(ms / 1000)
    return ms


@agent(timeout=120, durability="durable", max_attempts=2)
async def durable(ms: int, *, ctx: TaskContext) -> int:
    await asyncio.sleep(ms / 1000)
    if ms % 2 and ctx.attempt == 1:
        raise ConnectionError("once more")
    return ms


AGENTS = [standard, lean, durable]
BATCHES = {
    "one hangs": [10] * 9 + [60_000],
    "each twice its neighbour": [2**n for n in range(10)],
    "evenly apart": list(range(100, 1100, 100)),
    "closer than a call": list(range(1000, 1050, 5)),
}


@pytest.fixture
def memory():
    with MemorySwarm(AGENTS) as memory:
        yield memory


def carried(memory, one, milliseconds):
    """Run a batch where each call to the table takes a moment; return how many tasks each wrote."""
    rows = [Request(arguments={"ms": ms}) for ms in milliseconds]
    tasks, calls = memory.submit_many(one, rows), []
    store = memory.stage.store
    plain = store.write_each

    async def write_each(writes):
        await asyncio.sleep(CALL_S)
        calls.append(sum(write.key.sk == "task" for write in writes))
        return await plain(writes)

    with patch.object(store, "write_each", write_each):
        memory.run()
    assert [task.result() for task in tasks] == milliseconds
    return calls


@pytest.mark.parametrize("one", AGENTS, ids=lambda one: one.name)
@pytest.mark.parametrize("batch", sorted(BATCHES))
def test_a_finished_result_is_recorded_whatever_its_neighbours_do(memory, late, one, batch):
    carried(memory, one, BATCHES[batch])
    assert len(late.seen) >= 10
    assert [(ran, by) for ran, by in late.seen if by > 20 + 0.1 * ran] == []


@pytest.mark.parametrize(("one", "calls"), [(lean, [10]), (standard, [10, 10])])
def test_a_batch_that_ends_together_is_recorded_together(memory, one, calls):
    """Ends within a tenth of their runs take no call more than one end does."""
    assert carried(memory, one, [1000 + 8 * n for n in range(10)]) == calls
