"""Parents and children, when answers are lost in between."""

import pytest
from benchmarks.faults import Fault, Rule
from benchmarks.soak.agents import value
from moments import counts, fires, plans

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

N = 4
WIDTH = 3
PATIENCE_S = 180


@pytest.mark.parametrize("loses", [plans, counts, fires], ids=["plan", "count", "fire"])
def test_a_lost_answer_joins_once(swarm, proxy, runs, loses):
    rule = proxy.add(Rule(fault=Fault.LOST, matches=loses))
    task = swarm.submit("fan", n=N, width=WIDTH)
    assert task.result(timeout=PATIENCE_S) == value(N)
    assert rule.met == 1
    phases = proxy.witness.phases[task.id]
    assert (phases["waiting"], phases["children_done"]) == (1, 1)
    assert len(runs(task.id)) == 2
