"""Every function works under its own role: nothing that it needs is denied."""

import pytest
from repairs import REPAIRS
from scenarios import SCENARIOS

pytestmark = pytest.mark.proof


@pytest.mark.parametrize("name", [*SCENARIOS, *REPAIRS])
def test_a_scenario_ends_as_it_should(played, name):
    if played[name] is not None:
        raise played[name]


def test_nothing_was_denied(stage, played):
    assert [told for told in stage.asked if not told["allowed"]] == []
