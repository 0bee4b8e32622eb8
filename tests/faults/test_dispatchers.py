"""Dispatchers die between record and publish, and lose what AWS answered."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.faults import Fault, Rule
from benchmarks.soak.agents import value
from benchmarks.soak.order import Row, save
from benchmarks.soak.submitter import DUE_GRACE_S

from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.ids import derive_task_id
from sqswarm.schemas.lifecycle import Status

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

ROOT = Path(__file__).parents[2]
N = 8
PATIENCE_S = 180


@pytest.fixture
def killed_dispatcher(proxy, swarm, tmp_path):
    """Kill a dispatcher process when its publish is on the way; return its task's id."""

    def run(key):
        rows = tmp_path / "rows"
        save([Row(number=0, agent="kept", arguments={"n": N}, key=key)], rows)
        handles = tmp_path / "handles"
        rule = proxy.add(Rule(fault=Fault.HELD, operation="PublishBatch"))
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.soak.submitter", str(rows), str(handles)],
            env={
                **os.environ,
                "AWS_ENDPOINT_URL": proxy.endpoint_url,
                "SQSWARM_STAGE": "faults",
                DUE_GRACE_S: "1",
            },
            cwd=ROOT,
        )
        try:
            assert rule.reached.wait(PATIENCE_S)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        rule.release.set()
        assert handles.read_text() == ""  # nobody was told of the task
        task_id = derive_task_id(f"{swarm.principal}\x00kept", key, at_ms=0)
        assert swarm.get(task_id).status is Status.WORKING
        return task_id

    return run


def test_the_same_idempotency_key_finishes_what_a_killed_dispatcher_began(
    killed_dispatcher, swarm, proxy, runs
):
    task_id = killed_dispatcher("again")
    task = swarm.submit("kept", n=N, idempotency_key="again")
    assert task.id == task_id
    assert task.result(timeout=PATIENCE_S) == value(N)
    assert proxy.witness.endings[task_id] == ["completed"]
    assert len(runs(task_id)) == 1


def test_housekeeping_publishes_what_a_killed_dispatcher_left(
    killed_dispatcher, swarm, proxy, runs, keep_house, until
):
    task_id = killed_dispatcher("left")
    until(lambda: keep_house()["republished"] or swarm.get(task_id).status.terminal)
    assert until(lambda: swarm.get(task_id).status.terminal)
    assert swarm.get(task_id).result() == value(N)
    assert proxy.witness.endings[task_id] == ["completed"]
    assert len(runs(task_id)) == 1


@pytest.mark.parametrize("agent", ["standard", "kept"])
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.TWICE])
def test_a_publish_that_is_done_twice_runs_once(swarm, proxy, runs, agent, fault):
    rule = proxy.add(Rule(fault=fault, operation="PublishBatch"))
    task = swarm.submit(agent, n=N)
    assert rule.met == 1
    assert task.result(timeout=PATIENCE_S) == value(N)
    # One of the same agent that came later has run: the duplicate has been looked at.
    assert swarm.submit(agent, n=N).result(timeout=PATIENCE_S) == value(N)
    assert proxy.witness.endings[task.id] == ["completed"]
    assert len(runs(task.id)) == 1


def test_a_lost_answer_of_create_makes_one_task(swarm, proxy, runs):
    rule = proxy.add(Rule(fault=Fault.LOST, operation="BatchExecuteStatement"))
    task = swarm.submit("kept", n=N)
    assert rule.met == 1
    assert task.result(timeout=PATIENCE_S) == value(N)
    assert len(runs(task.id)) == 1


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.BROKEN, Fault.TIMED_OUT])
@pytest.mark.parametrize("operation", ["BatchExecuteStatement", "PublishBatch"])
def test_a_refused_call_of_the_dispatcher_is_made_again(swarm, proxy, fault, operation):
    rule = proxy.add(Rule(fault=fault, operation=operation))
    task = swarm.submit("kept", n=N)
    assert rule.met == 1
    assert task.result(timeout=PATIENCE_S) == value(N)


def test_a_publish_that_never_comes_through_is_told_and_runs_nothing(swarm, proxy, behind):
    proxy.add(Rule(fault=Fault.TIMED_OUT, operation="PublishBatch", times=20))
    with pytest.raises(Unreachable):
        swarm.submit("standard", n=31_337)
    proxy.clear()
    assert swarm.submit("standard", n=N).result(timeout=PATIENCE_S) == value(N)
    assert not any('"n": 31337' in path.read_text() for path in behind[2].glob("*.jsonl"))
