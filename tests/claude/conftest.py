"""Claude agents over memory twins, with a rehearsed API that is really asked over HTTP."""

import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.rehearsal import rehearsing

sys.path.insert(0, str(Path(__file__).parents[1] / "durable"))

from house import House


@pytest.fixture
def play(monkeypatch):
    """Serve a script, and let agents find it."""

    @contextmanager
    def playing(*turns, when="", scenes=(), **more):
        script = {"scenes": [*scenes, {"when": when, "turns": list(turns)}], **more}
        with rehearsing(script) as stage:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", stage.base_url)
            yield stage

    return playing


@pytest.fixture
def house():
    """Make a swarm of agents."""
    return House


async def ask(house, agent, prompt="go", **request):
    """Run one task to its rest and return what is seen of it."""
    task_id = await house.submit(agent, request or None, prompt=prompt)
    await house.settle_down()
    return await house.see(task_id)
