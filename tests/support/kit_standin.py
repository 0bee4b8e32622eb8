"""The fixtures that templates' tests ask for, where the project has no plugin of its own yet."""

import asyncio
from pathlib import Path

import pytest

from sqswarm import AsyncSwarm, Swarm
from sqswarm.infra.deploy import deploy
from sqswarm.infra.local import ensure_running
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.testing import MemorySwarm
from sqswarm.workers.registry import load_agents


class _Loop:
    def __init__(self, agents):
        self._loop = asyncio.new_event_loop()
        self._memory = MemorySwarm(*agents)
        self._swarm = AsyncSwarm(self._memory.connection_for("me", operator=True))

    def do(self, work):
        return self._loop.run_until_complete(work)

    def submit(self, agent, **arguments):
        return _Handle(self, self.do(self._swarm.submit(agent, **arguments)))

    def publish(self, topic, payload):
        return [_Handle(self, one) for one in self.do(self._swarm.publish(topic, payload))]

    def run(self):
        async def move():
            await self._memory.settle_down()
            for _ in range(12):
                self._memory.clock.advance(seconds=86_400)
                await self._memory.housekeep()
                await self._memory.settle_down()

        self.do(move())


class _Handle:
    def __init__(self, memory, task):
        self.agent = task.agent
        self._memory, self._task = memory, task

    def status(self):
        return self._memory.do(self._task.status())

    def answer(self, key, value):
        return self._memory.do(self._task.answer(key, value))

    def result(self):
        return self._memory.do(self._task.result(0))


def _agents():
    project = find_project(Path.cwd())
    project.activate()
    return project, [*load_agents(project.modules).values()]


@pytest.fixture
def memory_swarm():
    return _Loop(_agents()[1])


@pytest.fixture
def swarm():
    settings = ensure_running(stage="template")
    deploy(settings, plan(find_project(Path.cwd()), stage="template"))
    with Swarm.connect(settings) as connected:
        yield connected
