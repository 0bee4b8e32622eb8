"""A proof that cannot fail proves nothing: every planted mistake breaks a law within N storms."""

from __future__ import annotations

import pytest
from mutations import MUTATIONS

from simulation import simulate, storm_of
from simulation.counterexample import shrunk, story

WITHIN = 3000
"""Storms, of the weather aimed at the mistake or of any; most mistakes need a few dozen."""


def first_broken(weather=None, law=None):
    for seed in range(WITHIN):
        report = simulate(storm_of(seed, weather))
        if any(law in {None, one.law} for one in report.violations):
            return report
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_planted_mistake_is_found(name):
    mistake, weather = MUTATIONS[name]
    with mistake():
        report = first_broken(weather)
    assert report is not None, f"{WITHIN} storms and nobody noticed: {name}"
    again = simulate(report.storm)
    assert not again.violations, (
        "without the mistake the same storm breaks a law: it proves nothing"
    )


def test_a_violation_tells_a_short_story_that_can_be_replayed():
    mistake, weather = MUTATIONS["delete before settle"]
    with mistake():
        report = first_broken(weather, law="nothing-lost")
        small = shrunk(report.storm, "nothing-lost")
        told = story(small)
        again = simulate(small.storm)
    assert [v.what for v in again.violations] == [v.what for v in small.violations]
    assert f"replay: python tests/simulation --seed {report.storm.seed}" in told
    assert "law broken: nothing-lost" in told
    assert len(told.splitlines()) < 40


def test_a_storm_is_made_smaller_until_all_that_is_left_matters():
    mistake, weather = MUTATIONS["delete while another lease is live"]
    with mistake():
        report = first_broken(weather)
        law = report.violations[0].law
        small = shrunk(report.storm, law).storm
    parts = ("orders", "misfortunes", "aims", "accidents", "early", "poison")
    assert sum(len(getattr(small, name)) for name in parts) <= 5
