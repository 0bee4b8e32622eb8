"""Planted mistakes: the storms must find each, or they prove nothing."""

import pytest
from mutations import MUTATIONS

from infra.simulate.run import simulate
from infra.simulate.storm import storm_of

STORMS = 250
FOUND = [
    "settle without the attempt fence",
    "delete before settle",
    "join by plain counter",
    "retry that forgets the fence",
    "retry that trusts its own token",
    "lease shorter than the run",
    "fence by owner without a fresh version",
    "create without the sweep entry",
    "delete while another lease is live",
    "no housekeeping",
    "no dead letter handling",
    "answer that keeps the old version",
    "acquire that makes a record over a tombstone",
    "failure without a letter",
]


@pytest.mark.parametrize("name", FOUND)
def test_a_planted_mistake_is_found(name):
    with MUTATIONS[name]():
        assert any(simulate(storm_of(seed)).violations for seed in range(STORMS))
