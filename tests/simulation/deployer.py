"""Whoever deploys: changes the agents' code in the middle of a storm, and wakes what is parked."""

from __future__ import annotations

from simulation.actors import connection_for, start
from simulation.fault_plan import Deploy
from simulation.process import Process
from simulation.world import World
from sqswarm.dispatcher.lifecycle.resume import resume_all

_TRIES = 8
_AGAIN_S = 60.0
_SKEW_MS = 2000


class Deployer:
    """Deploys at its times; where the end of a deployment breaks off, it is begun again."""

    def __init__(self, world: World) -> None:
        """Prepare the storm's deployments."""
        self._world = world
        self._finished: set[int] = set()
        self._numbers = 0

    def begin(self) -> None:
        """Deploy each at its time."""
        for one in self._world.fault_plan.deploys:
            self._world.loop.call_at(float(one.at_s), self.deploy, one)

    def deploy(self, one: Deploy) -> None:
        """Change the code, then wake what is parked."""
        self._numbers += 1
        skew_ms = self._world.chance.randint(-_SKEW_MS, _SKEW_MS)
        deployed_ms = self._world.now_ms() + skew_ms
        self._world.deploy(one.code, at_ms=deployed_ms, without=one.without)
        self._world.note(None, "deployed", "", f"code {one.code} without {one.without!r}")
        self._walk(self._numbers, None, _TRIES)

    def _walk(self, number: int, before_ms: int | None, tries: int) -> None:
        if number in self._finished or number != self._numbers or not tries:
            return
        process = Process(self._world, f"deployer-{number}")
        deployed_ms = self._world.catalogue.deployed_ms

        async def work() -> None:
            connection = connection_for(process, "deployer", operator=True)
            names = connection.catalogue.names
            async for _ in resume_all(connection, names, before_ms=before_ms):
                process.check()
            self._finished.add(number)

        start(process, work())
        # Somebody sees that it broke off, and deploys again: nothing has changed by then.
        self._world.loop.call_later(_AGAIN_S, self._walk, number, deployed_ms, tries - 1)
