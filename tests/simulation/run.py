"""Simulate: one storm from its first request to the quiet after it, and what the invariants say."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from simulation.actors import Actors
from simulation.agents import CODES
from simulation.callers import Callers
from simulation.deployer import Deployer
from simulation.fault_plan import Deploy, FaultPlan
from simulation.invariants import INVARIANTS, Violation
from simulation.observation import Observation
from simulation.pausers import Pausers
from simulation.senders import Senders
from simulation.world import World

LONGEST_S = 90 * 86_400.0
"""Virtual time in which everything has ended, republishing with doubled waits included."""

_ROUNDS = 12
_DAYS_S = 2 * 86_400.0
"""Virtual time between two deployments after a storm: longer than anything in it waits."""

MOST_TURNS = 150_000
"""A storm that is not quiet after so many turns of the loop never will be."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a storm."""

    fault_plan: FaultPlan
    seen: Observation
    violations: tuple[Violation, ...]

    @property
    def results_per_task(self) -> set[int]:
        """Return how many results the tasks have that a caller got a handle for: {1}."""
        return {self.seen.world.history(one).endings for one in self.seen.handles} or {1}


def _run(world: World, seconds: float) -> bool:
    """Let virtual time pass until nothing moves any more; whether it came to that."""
    turns = world.loop.turns + MOST_TURNS
    return world.loop.run(until_s=world.loop.now + seconds, turns=turns)


def _deploy_until_all_fits(world: World, deployer: Deployer) -> None:
    """Deploy one code after another until nothing is parked.

    What ran in the storm fits one of them at each of its waits: whatever stays, a deploy has lost.
    A parent of a parked child is looked at for ever, so there is no rest before that.
    """
    _run(world, _DAYS_S)
    _note_unmet(world)
    for number in range(_ROUNDS * CODES):
        if not any(history.is_parked for history in world.histories.values()):
            return
        deployer.deploy(Deploy(at_s=0, code=number % CODES))
        _run(world, _DAYS_S)
        _note_unmet(world)


def _note_unmet(world: World) -> None:
    """Note what is parked long after a deployment and has not met its code."""
    for history in world.histories.values():
        if history.is_parked and history.parked_by not in {None, world.code}:
            what = f"code {history.parked_by} parked it, and nobody lets it meet {world.code}"
            history.wrong("a-deploy-ends-no-task", what)


def simulate(fault_plan: FaultPlan) -> Report:
    """Live through a storm and hold it against every law."""
    world = World(fault_plan)
    # The collector would end unfinished coroutines at a moment that no seed knows.
    collecting = gc.isenabled()
    gc.disable()
    try:
        actors = Actors.of(world)
        callers = Callers(world)
        actors.on_ask = callers.asked
        senders = Senders(world)
        pausers = Pausers(world)
        actors.on_record = (senders.recorded, pausers.recorded)
        callers.begin()
        deployer = Deployer(world)
        deployer.begin()
        if fault_plan.deploys:
            _deploy_until_all_fits(world, deployer)
        quiet = _run(world, LONGEST_S)
        seen = Observation(world=world, callers=callers, senders=senders, quiet=quiet)
        violations = tuple(violation for invariant in INVARIANTS for violation in invariant(seen))
        world.close()
    finally:
        if collecting:
            gc.enable()
    return Report(fault_plan=fault_plan, seen=seen, violations=violations)
