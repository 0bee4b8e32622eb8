"""Whatever the storm, every promise of the task protocol is kept."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from storms import storms

from infra.simulate import LAWS, Storm, simulate, storm_of
from infra.simulate.__main__ import main
from infra.simulate.storm import Accident, Fault, Misfortune, Mishap, Order
from infra.simulate.story import story
from infra.simulate.sweep import sweep

STORMS = int(os.environ.get("SQSWARM_STORMS", "2000"))
JOBS = int(os.environ.get("SQSWARM_STORM_JOBS", "2"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(storms())
def test_any_storm_leaves_exactly_one_result(storm):
    report = simulate(storm)
    assert not report.violations, story(report)
    assert report.results_per_task == {1}


@pytest.mark.timeout(900)
def test_no_law_is_broken_in_the_storms_of_fixed_seeds():
    broken = [seed for _, found in sweep(0, STORMS, jobs=JOBS) for seed in found]
    assert not broken, story(simulate(storm_of(broken[0])))


def test_a_storm_is_the_same_every_time():
    def told(seed):
        trace = simulate(storm_of(seed)).seen.world.trace
        return [note[:4] for note in trace]

    assert all(told(seed) == told(seed) for seed in range(40))


ORDERS = {
    "lean": Order(agent="lean", script=("ok",)),
    "children": Order(agent="standard", script=("step", "children lean(ok) durable(step)")),
    "waits": Order(agent="durable", script=("ask:2", "sleep:5000", "slow"), durable=True),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("fault", list(Fault))
def test_each_fault_at_each_request_alone(order, fault):
    for at in range(60):
        for size in (0.1, 0.9):
            misfortunes = (Misfortune(at=at, what=fault, size=size),)
            report = simulate(Storm(seed=1, orders=(order,), misfortunes=misfortunes))
            assert not report.violations, story(report)


def test_a_cancelled_task_that_nobody_has_seen_stays_cancelled():
    order = Order(agent="standard", script=("ok",), cancel_after_s=1)
    held_up = Accident(at=0, what=Mishap.HELD_UP, size=0.5)
    report = simulate(Storm(seed=1, orders=(order,), accidents=(held_up,)))
    assert not report.violations
    [(life, item)] = report.seen.lives()
    assert (item["status"], life.executions) == ("cancelled", [])


def test_laws_have_names_and_words():
    assert len({law.__name__ for law in LAWS}) == len(LAWS) >= 10
    assert all(law.__doc__ for law in LAWS)


def test_the_command_tells_how_many_storms_broke_a_law(capsys):
    assert main(["--storms", "60"]) == 0
    assert capsys.readouterr().out.endswith("storms: 60 run, 0 violations\n")


def test_one_storm_can_be_told(capsys):
    assert main(["--seed", "3", "--trace"]) == 0
    assert "replay: python -m infra.simulate --seed 3" in capsys.readouterr().out
