"""Storms of limits and deadlines: weather that seeds of no weather do not draw."""

import pytest

from simulation import fault_plan_of, simulate
from simulation.campaign import sweep
from simulation.counterexample import counterexample

STORMS = 20
"""`make proof` runs 300."""

WEATHERS = ("limits", "deadlines", "singletons")


@pytest.mark.parametrize("workload", WEATHERS)
@pytest.mark.parametrize("storms", [STORMS, pytest.param(300, marks=pytest.mark.proof)])
def test_no_law_is_broken_where_the_flow_is_controlled(workload, storms):
    found = [seed for _, found in sweep(0, storms, workload=workload) for seed in found]
    assert not found, counterexample(simulate(fault_plan_of(found[0], workload)))


def test_the_storms_fill_the_slots_and_take_their_operations():
    seen = [simulate(fault_plan_of(seed, "limits")).seen.world for seed in range(20)]
    told = {what for world in seen for _, _, what, _, _ in world.trace}
    assert max(world.most_beside for world in seen) == 2
    assert {"take slots", "renew & renew slots", "give slots back"} <= told
    assert "slot.awaited" in told


def test_the_storms_have_tasks_whose_time_is_over():
    errors = [
        item.get("error", "")
        for seed in range(12)
        for _, item in simulate(fault_plan_of(seed, "deadlines")).seen.histories()
    ]
    assert sum('"DeadlineExceeded"' in error for error in errors) > 3
