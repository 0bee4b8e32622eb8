"""A proof that cannot fail proves nothing: every planted mistake breaks a law within N storms."""

from __future__ import annotations

import pytest
from mutations import MUTATIONS, delete_before_settle

from infra.simulate import simulate, storm_of
from infra.simulate.story import shrunk, story

WITHIN = 6000
"""Storms; most mistakes need a few dozen."""


def first_broken(storms=WITHIN):
    for seed in range(storms):
        report = simulate(storm_of(seed))
        if report.violations:
            return report
    return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_planted_mistake_is_found(name):
    with MUTATIONS[name]():
        report = first_broken()
    assert report is not None, f"{WITHIN} storms and nobody noticed: {name}"


def test_a_violation_tells_a_short_story_that_can_be_replayed():
    with delete_before_settle():
        report = first_broken()
        small = shrunk(report.storm, report.violations[0].law)
        told = story(small)
        again = simulate(small.storm)
    assert [v.what for v in again.violations] == [v.what for v in small.violations]
    assert f"replay: python -m infra.simulate --seed {report.storm.seed}" in told
    assert "law broken: nothing-lost" in told
    assert len(told.splitlines()) < 40
