"""What a container's worker holds, on virtual time."""

import asyncio

from memory_swarm import Clock, MemorySwarm

from simulation.loop import VirtualLoop
from sqswarm import agent
from sqswarm.workers.hosts.container.in_flight import InFlightMessages


@agent(runs_on="container", timeout=3600)
async def slow() -> None:
    """Take a while."""


class LoopClock(Clock):
    """The running loop's time."""

    def now_ms(self):
        return round(1000 * asyncio.get_running_loop().time())


async def a_long_run_and_its_end(seen):
    memory = MemorySwarm(slow, clock=LoopClock())

    async def received():
        return await memory.bus.receive(memory.queue(slow), limit=10, wait_s=0)

    await memory.submit(slow)
    held = InFlightMessages(memory.worker(slow))
    held.hold(await received())
    keeping = asyncio.create_task(held.keep_hidden())
    for _ in range(100):
        await asyncio.sleep(30)
        seen["while it runs"] += await received()
    keeping.cancel()  # as a killed worker does
    await asyncio.sleep(slow.spec.visibility_s)
    seen["after its death"] += await received()


def test_a_message_in_hand_stays_hidden_and_comes_back_soon_after_its_worker_died():
    seen = {"while it runs": [], "after its death": []}
    loop = VirtualLoop()
    story = loop.create_task(a_long_run_and_its_end(seen))
    loop.run(until_s=7200, turns=100_000)
    story.result()
    assert seen["while it runs"] == []
    assert len(seen["after its death"]) == 1
