"""Workers die, or are too late, at exactly chosen moments: real processes, real SIGKILL.

A lost attempt comes back when its message does, after a quarter of a minute. So all of it is
begun at once, and each test looks at what became of one task.
"""

import os
import signal
import time
from types import SimpleNamespace

import pytest
from benchmarks.faults import Fault, Rule
from benchmarks.soak.agents import FRAGILE_ATTEMPTS, value
from moments import fires, plans, settles

from sqswarm.schemas.errors import TaskFailed
from sqswarm.schemas.ids import derive_task_id

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

N = 6
PATIENCE_S = 180
MORE_THAN_THE_SDK_TRIES = 4


def kill(run):
    os.kill(run["pid"], signal.SIGKILL)


@pytest.fixture(scope="module")
def begin(behind, swarm):
    """Submit a task under a rule that is for it alone; return both once the rule has been met."""
    proxy, _, _ = behind

    def start(agent, key, *, arguments=None, operation="", naming="", **rule):
        # An idempotency key tells the id beforehand.
        task_id = derive_task_id(f"{swarm.principal}\x00{agent}", key, at_ms=0)
        matches = rule.pop("matches", lambda _: True)
        there = proxy.add(
            Rule(
                operation=operation,
                naming=task_id,
                matches=lambda call: naming in call.text and matches(call),
                **rule,
            )
        )
        task = swarm.submit(agent, idempotency_key=key, n=N, **(arguments or {}))
        assert task.id == task_id
        assert there.reached.wait(PATIENCE_S)
        return SimpleNamespace(task=task, rule=there)

    return start


@pytest.fixture(scope="module", autouse=True)
def stories(begin, behind, swarm, runs, until):
    proxy, _, _ = behind
    told = SimpleNamespace()
    told.doomed = swarm.submit("fragile", n=N, mischief="kill:99")
    told.own_hand = swarm.submit("fragile", n=N, mischief="kill:1")
    told.outside = swarm.submit("fragile", n=N, mischief="hang:1")
    kill(until(lambda: runs(told.outside.id))[0])
    told.zombie = begin("standard", "zombie", fault=Fault.LATE, matches=settles)
    told.throttled = begin(
        "plain", "throttled", fault=Fault.THROTTLE, matches=settles, times=MORE_THAN_THE_SDK_TRIES
    )
    told.settled = begin("fragile", "settled", fault=Fault.ANSWER_HELD, matches=settles)
    kill(runs(told.settled.task.id)[-1])
    told.stepped = begin(
        "stepper",
        "stepped",
        fault=Fault.ANSWER_HELD,
        operation="TransactWriteItems",
        naming="part2",
    )
    kill(runs(told.stepped.task.id, "step")[-1])
    told.planned = begin(
        "fan", "planned", arguments={"width": 2}, fault=Fault.ANSWER_HELD, matches=plans
    )
    kill(runs(told.planned.task.id)[-1])
    told.fired = begin(
        "fan", "fired", arguments={"width": 2}, fault=Fault.ANSWER_HELD, matches=fires
    )
    children = _children(swarm, told.fired.task)
    for pid in {run["pid"] for child in children for run in runs(child.id, "returned")}:
        os.kill(pid, signal.SIGKILL)
    for story in (told.settled, told.stepped, told.planned, told.fired):
        story.rule.release.set()
    yield told
    proxy.clear()


def _children(swarm, task):
    views = swarm.list(agent="kept", limit=500)
    return [view for view in views if (view.record.parent or "").startswith(task.id)]


@pytest.fixture
def one_result(behind, swarm):
    """Return a check that a task has completed, by one write, and as it should."""
    proxy, _, _ = behind

    def check(task):
        assert task.result(timeout=PATIENCE_S) == value(N)
        assert proxy.witness.endings[task.id] == ["completed"]
        return swarm.get(task.id).record

    return check


def test_a_worker_that_kills_itself_costs_an_attempt(stories, runs, one_result):
    record = one_result(stories.own_hand)
    assert record.attempt == 2
    assert [run["attempt"] for run in runs(record.task_id)] == [1, 2]


def test_a_worker_killed_from_outside_costs_an_attempt(stories, runs, one_result):
    record = one_result(stories.outside)
    assert record.attempt == 2
    first, second = runs(record.task_id)
    assert first["pid"] != second["pid"]
    assert first["v"] != second["v"]


def test_a_settle_that_is_throttled_for_too_long_costs_an_attempt(stories, runs, one_result):
    record = one_result(stories.throttled.task)
    assert stories.throttled.rule.met == MORE_THAN_THE_SDK_TRIES
    assert (record.attempt, len(runs(record.task_id))) == (2, 2)


def test_a_worker_that_dies_after_settle_and_before_delete_is_not_repeated(
    stories, runs, one_result, swarm, aws, behind, until
):
    record = one_result(stories.settled.task)
    url = aws("sqs").get_queue_url(QueueName=behind[1].queue("fragile"))["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def empty():
        got = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return set(got.values()) == {"0"}

    # Its message comes back, finds the task ended, and goes for good.
    until(empty, timeout_s=PATIENCE_S)
    assert swarm.get(record.task_id).record == record
    assert len(runs(record.task_id)) == 1


def test_a_step_that_was_recorded_is_not_run_again(stories, runs, one_result, behind):
    record = one_result(stories.stepped.task)
    assert [noted["step"] for noted in runs(record.task_id, "step")] == ["part1", "part2", "part3"]
    recorded = {
        step: n for (id_, step), n in behind[0].witness.steps.items() if id_ == record.task_id
    }
    assert recorded == {f"step#part{n}#0": 1 for n in (1, 2, 3)}


@pytest.mark.parametrize("moment", ["planned", "fired"])
def test_a_worker_that_dies_in_a_join_leaves_one_join(stories, behind, one_result, moment):
    """After the plan no child is there yet; after the fire nobody has been told of it."""
    record = one_result(getattr(stories, moment).task)
    phases = behind[0].witness.phases[record.task_id]
    assert (phases["waiting"], phases["children_done"]) == (1, 1)


def test_a_zombies_settle_that_lands_late_is_refused(stories, runs, one_result):
    """Lambda killed the first worker at its time-out, with its settle still on the way."""
    before = one_result(stories.zombie.task)
    assert before.attempt == 2
    stories.zombie.rule.release.set()
    time.sleep(1)  # so long it has to land
    assert one_result(stories.zombie.task) == before
    assert len(runs(before.task_id)) == 2


def test_a_worker_killed_on_every_attempt_ends_its_task_with_the_reason(
    stories, behind, runs, letters, until
):
    doomed = stories.doomed
    with pytest.raises(TaskFailed) as failure:
        doomed.result(timeout=PATIENCE_S)
    assert "WorkerLost" in str(failure.value)
    assert f"lost {FRAGILE_ATTEMPTS} times" in str(failure.value)
    assert len(runs(doomed.id)) == FRAGILE_ATTEMPTS
    assert behind[0].witness.endings[doomed.id] == ["failed"]
    assert until(lambda: letters("fragile", doomed.id)) == ["WorkerLost"]
