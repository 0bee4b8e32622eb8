"""An agent whose code does not load: its tasks end soon, with the reason."""

from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm

from sqswarm import agent
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.lifecycle import Status
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.execute import NotLoaded


def make(name, durability):
    @agent(name=name, durability=durability, max_attempts=2, timeout=5)
    async def one(text: str) -> str:
        return text

    return one


AGENTS = [make(d, d) for d in ("lean", "standard", "durable")]


def caused(error):
    wrapped = InvalidAgent(f"it raises: {error}")
    wrapped.__cause__ = error
    return wrapped


async def carry(memory, one, error):
    """Work as a function does whose agent does not load: with the catalogue's word for it."""
    known = CatalogueEntry.of(one.spec).spec()
    worker = replace(memory.worker(one), agent=None, spec=known)
    runtime = Runtime(worker, executor=NotLoaded(error))
    deliveries = await memory.bus.receive(memory.queue(one), limit=10, wait_s=0)
    return await runtime.handle(deliveries)


@pytest.mark.parametrize("one", AGENTS, ids=lambda a: a.name)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(caused(ImportError("no module")), id="import"),
        pytest.param(caused(SyntaxError("no syntax")), id="syntax"),
        pytest.param(InvalidAgent("two agents"), id="declaration"),
        pytest.param(SystemExit(3), id="exit"),
    ],
)
async def test_code_that_is_wrong_fails_its_tasks_at_once(one, error):
    memory = MemorySwarm(*AGENTS)
    task_id = await memory.submit(one, {}, text="a")
    result = await carry(memory, one, error)
    seen = await memory.see(task_id)
    assert seen.status is Status.FAILED
    assert seen.record.error["data"]["type"] == "AgentNotLoaded"
    assert str(error) in seen.record.error["message"]
    assert result.keep == []
    assert len(result.delete) == 1


async def test_what_broke_while_it_was_loaded_is_tried_again():
    memory = MemorySwarm(*AGENTS)
    one = AGENTS[1]
    task_id = await memory.submit(one, {}, text="a")
    result = await carry(memory, one, caused(ConnectionError("no answer")))
    assert len(result.keep) == 1
    assert not (await memory.see(task_id)).status.terminal
