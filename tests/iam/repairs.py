"""Housekeeping's repairs, under its role: each of what has gone wrong in its own way."""

import time
from dataclasses import replace

from scenarios import BIG

from sqswarm import Swarm
from sqswarm.schemas.ids import event_task_id, result_event_id
from sqswarm.schemas.task import due_shard

REPAIRS = {}
HOUR_S = 3600


def repair(play):
    REPAIRS[play.__name__] = play
    return play


def repairs(guild):
    """Play every repair, one after the other; return what each raised, None for nothing."""
    told = {}
    for name, play in REPAIRS.items():
        try:
            play(guild)
        except (Exception, AssertionError) as error:
            told[name] = error
        else:
            told[name] = None
    return told


def _unpublished(guild, agent="plain", **more):
    """Record a task whose dispatcher dies before it publishes; return its id."""

    async def dies(*_arguments, **_options):
        pass

    with Swarm.connect(replace(guild.stage.settings, stage="iam")) as swarm:
        swarm._swarm._connection.bus.publish = dies
        return swarm.submit(agent, idempotency_key=f"{time.time_ns()}", **more).id


@repair
def a_task_that_was_never_published_is(guild):
    task = _unpublished(guild, text="never published")
    guild.stage.housekeeping(later_s=120)
    ends = time.monotonic() + 20
    while guild.record("plain", task)["status"]["S"] != "completed":
        assert time.monotonic() < ends
        time.sleep(0.1)


@repair
def a_worker_lost_too_often_fails_its_task(guild):
    task = _unpublished(guild, text="lost")
    guild.change("plain", task, attempt={"N": "3"})
    guild.stage.housekeeping(later_s=120)
    assert guild.record("plain", task)["status"]["S"] == "failed"
    assert any(task in body for body, _ in guild.dead_letters("plain"))


@repair
def who_is_named_is_told_of_a_lost_task(guild):
    task = _unpublished(guild, "limited", text="lost and told")
    guild.change("limited", task, attempt={"N": "3"})
    guild.stage.housekeeping(later_s=120)
    assert any(task in body for body in guild.stage.told())


@repair
def children_are_created_anew_and_counted(guild):
    task = guild.submit("parent", "slow", arguments={"pad": BIG})
    guild.waiting("parent", task, phase="waiting")
    ends = time.monotonic() + 30
    while len(children := guild.children("keeper", task)) < 2:
        assert time.monotonic() < ends
        time.sleep(0.1)
    for child in children:
        guild.until(child, "input_required")
        guild.forget("keeper", child)
    guild.stage.housekeeping(later_s=HOUR_S)
    assert guild.children("keeper", task) == children
    for child in children:
        guild.until(child, "input_required")
        # Its worker dies between the record of the result and the count of it.
        guild.change(
            "keeper",
            child,
            status={"S": "completed"},
            result={"S": '{"result":"r"}'},
            wrapped={"BOOL": True},
        )
    guild.stage.housekeeping(later_s=3 * HOUR_S)
    assert guild.until(task, "completed")


@repair
def a_cancelled_parents_children_are_cancelled(guild):
    task = guild.submit("parent", "slow")
    record = guild.waiting("parent", task, phase="waiting")
    ends = time.monotonic() + 30
    while len(children := guild.children("keeper", task)) < 2:
        assert time.monotonic() < ends
        time.sleep(0.1)
    for child in children:
        guild.until(child, "input_required")
    assert record["due_at"]
    guild.change("parent", task, status={"S": "cancelled"})
    guild.stage.housekeeping(later_s=HOUR_S)
    for child in children:
        assert guild.until(child, "cancelled")


@repair
def an_event_that_is_owed_is_published(guild):
    task = guild.submit("herald", "late news", idempotency_key="late")
    assert guild.until(task, "completed")
    heard = event_task_id(result_event_id(task), "chronicler")
    guild.result(heard)
    guild.forget("chronicler", heard)  # as if its worker had died before it published
    due = {"due_at": {"N": "1"}, "due_shard": {"S": due_shard(task)}}
    guild.change("herald", task, **due)
    assert guild.stage.housekeeping()["cleared"] == 1
    ends = time.monotonic() + 20
    while (guild.record("chronicler", heard) or {"status": {"S": ""}})["status"][
        "S"
    ] != "completed":
        assert time.monotonic() < ends
        time.sleep(0.1)


@repair
def a_sleeper_is_woken(guild):
    task = guild.submit("keeper", "nap")
    guild.waiting("keeper", task, phase="sleeping")
    guild.change("keeper", task, wake_at={"N": "1"}, due_at={"N": "1"})
    assert guild.stage.housekeeping()["resumed"] == 1


@repair
def a_question_that_nobody_answers_expires(guild):
    task = guild.submit("keeper", "expires")
    guild.until(task, "input_required")
    guild.stage.housekeeping(later_s=HOUR_S)
    assert guild.result(task) == "nobody"


@repair
def dead_letters_of_sqs_are_explained_and_ended(guild):
    lost, late = guild.message("lean", "given up"), guild.message("plain", "begun anew")
    guild.send("lean", lost.encode(), dead=True)
    guild.send("plain", late.encode(), dead=True)
    guild.send("plain", "given up, and no json", dead=True)
    done = guild.message("lean", "completed, and nobody was thanked")
    guild.send("lean", done.encode())
    while guild.record("lean", done.id) is None:
        time.sleep(0.1)
    guild.send("lean", done.encode(), dead=True)
    guild.stage.housekeeping()
    assert not any(done.id in body for body, _ in guild.dead_letters("lean"))
    assert guild.record("lean", lost.id)["status"]["S"] == "failed"
    guild.stage.housekeeping()
    ends = time.monotonic() + 20
    while guild.record("plain", late.id)["status"]["S"] != "completed":
        assert time.monotonic() < ends
        time.sleep(0.2)
    found = dict(guild.dead_letters("plain"))
    assert found["given up, and no json"]


@repair
def a_schedule_submits(guild):
    tick = {"schedule": "listener", "number": 0, "time": "2026-11-24T12:00:00Z"}
    made = guild.stage.housekeeping(tick)
    assert guild.stage.housekeeping(tick) == made
    ends = time.monotonic() + 20
    while guild.record("listener", made["taskId"])["status"]["S"] != "completed":
        assert time.monotonic() < ends
        time.sleep(0.2)


@repair
def a_message_for_nobody_is_put_aside(guild):
    guild.stage.account("sns").publish(
        TopicArn=f"arn:aws:sns:us-east-1:000000000000:sqswarm-{guild.stage.table[8:]}-tasks",
        Message="for nobody",
        MessageAttributes={"agent": {"DataType": "String", "StringValue": "nobody"}},
    )
    ends = time.monotonic() + 20
    while not any(body == "for nobody" for body, _ in guild.dead_letters("unrouted")):
        assert time.monotonic() < ends
        time.sleep(0.2)
