"""Simulate: one storm from its first request to the quiet after it, and what the invariants say."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from simulation.actors import Actors
from simulation.callers import Callers
from simulation.fault_plan import FaultPlan
from simulation.invariants import INVARIANTS, Violation
from simulation.observation import Observation
from simulation.world import World

LONGEST_S = 90 * 86_400.0
"""Virtual time in which everything has ended, republishing with doubled waits included."""

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
        callers.begin()
        quiet = world.loop.run(until_s=LONGEST_S, turns=MOST_TURNS)
        seen = Observation(world=world, callers=callers, quiet=quiet)
        violations = tuple(violation for invariant in INVARIANTS for violation in invariant(seen))
        world.close()
    finally:
        if collecting:
            gc.enable()
    return Report(fault_plan=fault_plan, seen=seen, violations=violations)
