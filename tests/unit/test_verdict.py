"""Verdicts: what follows an outcome, and how long a retry waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqswarm.workers.runtime.decide import (
    BACKOFF_CAP_S,
    Complete,
    GiveUp,
    RetryLater,
    backoff_s,
    decide,
)
from sqswarm.workers.runtime.outcome import Broke, Failed, Returned


@pytest.mark.parametrize(
    ("outcome", "attempt", "kind"),
    [
        pytest.param(Returned(text="{}", wrapped=False), 1, Complete, id="a-result-completes"),
        pytest.param(Failed(error_type="X", message=""), 1, GiveUp, id="fail-gives-up-at-once"),
        pytest.param(Broke(error_type="X", message=""), 1, RetryLater, id="first-failure-waits"),
        pytest.param(Broke(error_type="X", message=""), 2, RetryLater, id="second-failure-waits"),
        pytest.param(Broke(error_type="X", message=""), 3, GiveUp, id="last-attempt-gives-up"),
        pytest.param(Broke(error_type="X", message=""), 9, GiveUp, id="beyond-the-last-too"),
    ],
)
def test_an_outcome_has_one_verdict(outcome, attempt, kind):
    assert isinstance(decide(outcome, attempt=attempt, max_attempts=3, jitter=0.5), kind)


def test_the_error_keeps_type_message_and_attempt():
    outcome = Broke(error_type="KeyError", message="'x'")
    decision = decide(outcome, attempt=3, max_attempts=3, jitter=0)
    assert decision == GiveUp(
        error={"code": -32000, "message": "'x'", "data": {"type": "KeyError", "attempt": 3}}
    )


def test_an_agent_may_name_its_own_wait_within_the_cap():
    outcome = Broke(error_type="Retry", message="", after_s=7)
    decision = decide(outcome, attempt=1, max_attempts=3, jitter=0)
    assert isinstance(decision, RetryLater)
    assert decision.after_s == 7
    outcome = Broke(error_type="Retry", message="", after_s=99_999)
    decision = decide(outcome, attempt=1, max_attempts=3, jitter=0)
    assert isinstance(decision, RetryLater)
    assert decision.after_s == BACKOFF_CAP_S


@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_delays_grow_until_the_cap(attempt, jitter, other):
    now, later = backoff_s(attempt, jitter=jitter), backoff_s(attempt + 1, jitter=other)
    assert 2 <= now < later <= BACKOFF_CAP_S or later == BACKOFF_CAP_S


def test_attempts_count_from_one():
    with pytest.raises(ValueError, match="from 1"):
        backoff_s(0, jitter=0)
