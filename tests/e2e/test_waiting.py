"""Agents that wait, through the real stack and the command line: no worker is held meanwhile."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sqswarm import Request
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.lifecycle import Status

pytestmark = pytest.mark.localstack


def sqswarm(*arguments):
    """Run the command line and return its JSON."""
    ran = subprocess.run(
        [Path(sys.executable).parent / "sqswarm", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def until(question, *, timeout_s=120):
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := question():
            return found
        time.sleep(0.2)
    return pytest.fail("it never became true")


def test_an_agent_fans_out_asks_a_person_sleeps_and_does_each_step_once(swarm, notes):
    task = swarm.submit("orchestrate", width=100, notes=str(notes))
    waiting = until(lambda: [t for t in sqswarm("inbox") if t["taskId"] == task.id])
    [(key, request)] = waiting[0]["inputRequests"].items()
    assert request["params"]["message"] == f"Use the sum {sum(range(1, 101))}?"
    assert task.status() is Status.INPUT_REQUIRED
    with pytest.raises(InvalidArguments, match="approved"):
        task.answer(key, {"approved": "perhaps"})
    sqswarm("answer", task.id, key, '{"approved": true}')
    expected = {"seven": 7, "sum": sum(range(1, 101)), "approved": True}
    assert task.result(timeout=120) == expected
    assert notes.read_text().split() == ["step", "last"]


def test_a_failed_task_is_redriven_as_a_new_one_linked_both_ways(swarm, letters):
    task = swarm.submit("moody", mood="fails")
    until(lambda: task.status() is Status.FAILED)
    letters("moody", lambda _, a: a.get("task_id") == task.id)
    told = until(lambda: sqswarm("redrive", "moody", "--task", task.id), timeout_s=120)
    new = told[0]["newTaskId"]
    until(lambda: swarm.get(new).status is Status.FAILED)
    assert swarm.get(new).record.redriven_from == task.id
    assert swarm.get(task.id).record.redriven_as == new


def test_tasks_of_one_ordering_key_run_in_their_order(swarm, notes):
    texts = [f"{n:02}" for n in range(15)]
    tasks = [
        swarm.submit_many(
            "orderly",
            [Request(arguments={"text": t, "notes": str(notes)}, ordering_key="x")],
        )[0]
        for t in texts
    ]
    assert len(list(swarm.wait(tasks, timeout=120))) == 15
    assert notes.read_text().split() == texts
