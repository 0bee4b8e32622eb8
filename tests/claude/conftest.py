"""Claude agents over memory twins, with a scripted API that is really asked over HTTP."""

from contextlib import contextmanager

import pytest
from memory_swarm import MemorySwarm

from sqswarm.testing.fake_claude import fake_claude


@pytest.fixture
def play(monkeypatch):
    """Serve a script, and let agents find it."""

    @contextmanager
    def playing(*turns, when="", scenes=(), **more):
        script = {"scenes": [*scenes, {"when": when, "turns": list(turns)}], **more}
        with fake_claude(script) as stage:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", stage.base_url)
            yield stage

    return playing


@pytest.fixture
def memory():
    """Make a swarm of agents."""
    return MemorySwarm
