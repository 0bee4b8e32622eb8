"""The status machine: every pair of status and event is either in the table or refused."""

from itertools import product

import pytest

from sqswarm.schemas.lifecycle import TERMINAL, TRANSITIONS, Event, Status, after


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_pair_is_allowed_or_refused_and_terminal_is_final(status, event):
    result = after(status, event)
    assert result == TRANSITIONS.get((status, event))
    if status in TERMINAL:
        assert result is None


def test_every_status_but_the_first_can_be_reached():
    assert {*TRANSITIONS.values()} == set(Status)


def test_statuses_are_the_words_of_mcp():
    assert {s.value for s in Status} == {
        "working",
        "input_required",
        "completed",
        "failed",
        "cancelled",
    }
