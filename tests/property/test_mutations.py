"""A proof that cannot fail proves nothing: every planted mistake breaks an invariant."""

from __future__ import annotations

import mutations_of_deadlines
import mutations_of_events
import mutations_of_limits
import mutations_of_notice
import mutations_of_pause
import mutations_of_removal
import mutations_of_singletons
import mutations_of_undo
import pytest
from found_by import found_by
from mutations import MUTATIONS

from simulation import fault_plan_of, simulate
from simulation.counterexample import counterexample, shrunk

assert mutations_of_deadlines.__doc__  # imported for what it registers
assert mutations_of_events.__doc__
assert mutations_of_limits.__doc__
assert mutations_of_notice.__doc__
assert mutations_of_pause.__doc__
assert mutations_of_removal.__doc__
assert mutations_of_singletons.__doc__
assert mutations_of_undo.__doc__

WITHIN = 3000
"""Storms, of the weather aimed at the mistake or of any; most mistakes need a few dozen."""


def first_broken(workload=None, invariant=None, *, first=0):
    """The first storm in which something is noticed; `first` is the seed to begin with."""
    for seed in (first, *range(WITHIN)):
        report = simulate(fault_plan_of(seed, workload))
        if any(invariant in {None, one.invariant} for one in report.violations):
            return report
    return None


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_planted_mistake_is_found(name):
    mistake, workload = MUTATIONS[name]
    with mistake():
        report = first_broken(workload, first=found_by().get(name, 0))
    assert report is not None, f"{WITHIN} storms and nobody noticed: {name}"
    again = simulate(report.fault_plan)
    assert not again.violations, (
        "without the mistake the same storm breaks an invariant: it proves nothing"
    )


def test_a_violation_tells_a_short_story_that_can_be_replayed():
    mistake, workload = MUTATIONS["delete before settle"]
    with mistake():
        report = first_broken(workload, invariant="nothing-lost")
        small = shrunk(report.fault_plan, "nothing-lost")
        told = counterexample(small)
        again = simulate(small.fault_plan)
    assert [v.what for v in again.violations] == [v.what for v in small.violations]
    assert f"replay: python tests/simulation --seed {report.fault_plan.seed}" in told
    assert "law broken: nothing-lost" in told
    assert len(told.splitlines()) < 40


def test_a_storm_is_made_smaller_until_all_that_is_left_matters():
    mistake, workload = MUTATIONS["delete while another lease is live"]
    with mistake():
        report = first_broken(workload)
        invariant = report.violations[0].invariant
        small = shrunk(report.fault_plan, invariant).fault_plan
    parts = ("orders", "misfortunes", "aims", "accidents", "early", "poison")
    assert sum(len(getattr(small, name)) for name in parts) <= 5
