"""Workers lose what AWS answered, or are refused: the SDK and the protocol make it good."""

import time

import pytest
from benchmarks.faults import Fault, Rule
from benchmarks.soak.agents import value
from moments import settles, takes_a_lease

from sqswarm.schemas.lifecycle import Status

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

N = 6
PATIENCE_S = 180
SDK_RETRIES = 3
"""What sqswarm.backends.aws.connect gives the SDK against an emulator: four tries in all."""


@pytest.fixture
def one_result(proxy, swarm):
    """Return a check that a task has completed, by one write, and as it should."""

    def check(task):
        assert task.result(timeout=PATIENCE_S) == value(N)
        assert proxy.witness.endings[task.id] == ["completed"]
        return swarm.get(task.id).record

    return check


def test_a_lost_answer_of_acquire_costs_nothing(swarm, proxy, runs, one_result):
    rule = proxy.add(Rule(fault=Fault.LOST, matches=takes_a_lease))
    record = one_result(swarm.submit("standard", n=N))
    assert rule.met == 1
    assert len(proxy.witness.leases[record.task_id]) == 1
    assert (record.attempt, len(runs(record.task_id))) == (1, 1)


@pytest.mark.parametrize("agent", ["lean", "standard", "kept"])
def test_a_lost_answer_of_settle_costs_nothing(swarm, proxy, runs, one_result, agent):
    rule = proxy.add(Rule(fault=Fault.LOST, matches=settles))
    record = one_result(swarm.submit(agent, n=N))
    assert rule.met == 1
    assert len(runs(record.task_id)) == 1


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.BROKEN, Fault.TIMED_OUT])
def test_a_settle_that_is_refused_for_a_while_costs_nothing(swarm, proxy, runs, one_result, fault):
    rule = proxy.add(Rule(fault=fault, matches=settles, times=SDK_RETRIES))
    record = one_result(swarm.submit("standard", n=N))
    assert rule.met == SDK_RETRIES
    assert (record.attempt, len(runs(record.task_id))) == (1, 1)


def test_a_cancel_that_comes_before_a_settle_wins(swarm, proxy):
    rule = proxy.add(Rule(fault=Fault.LATE, matches=settles))
    task = swarm.submit("standard", n=N)
    assert rule.reached.wait(PATIENCE_S)
    assert task.cancel() is Status.CANCELLED
    rule.release.set()
    time.sleep(1)  # so long the settle has to be refused
    assert task.status() is Status.CANCELLED
    assert proxy.witness.endings[task.id] == ["cancelled"]
