"""Who is named is told of a task's end, whoever ended it, and whoever died in between."""

import json

import pytest
from memory_swarm import CrashedError, MemorySwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.errors import NotifyRefused
from sqswarm.schemas.message import decode
from sqswarm.testing import MemorySwarm as Memory
from sqswarm.workers.agents import map_run

TOPIC = "arn:aws:sns:us-east-1:000000000000:ended"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:ended"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/office"


@agent(timeout=20, max_attempts=2)
async def standard(n: int) -> int:
    if n < 0:
        raise Fail("below zero")
    return n


@agent(timeout=20, durability="lean", notify=TOPIC)
async def lean(n: int) -> int:
    return n


@agent(timeout=20, max_attempts=2, notify=[TOPIC])
async def telling(n: int) -> int:
    return n


@agent(timeout=20)
async def parent(*, ctx: TaskContext) -> int:
    return sum(await ctx.map(telling, [{"n": 1}, {"n": 2}]))


@pytest.fixture
def memory():
    return MemorySwarm(standard, lean, telling, parent, notify=[QUEUE, TOPIC, BUS])


def told(memory, target=QUEUE):
    return [json.loads(body) for body in memory.bus.told.get(target, [])]


async def test_a_queue_is_told_of_a_result_and_of_a_failure(memory):
    good = await memory.submit(standard, {"notify": QUEUE, "tags": {"tenant": "acme"}}, n=1)
    bad = await memory.submit(standard, {"notify": [QUEUE, BUS]}, n=-1)
    await memory.settle_down()
    completed, failed = sorted(told(memory), key=lambda event: event["type"])
    assert completed == {
        "specversion": "1.0",
        "id": f"{good}-ended",
        "type": "sqswarm.task.completed",
        "source": "/sqswarm/test/standard",
        "subject": good,
        "time": (await memory.see(good)).record.to_json()["lastUpdatedAt"],
        "datacontenttype": "application/json",
        "data": {
            "taskId": good,
            "agent": "standard",
            "status": "completed",
            "endedAt": (await memory.see(good)).record.to_json()["lastUpdatedAt"],
            "tags": {"tenant": "acme"},
        },
    }
    assert (failed["type"], failed["data"]["errorType"]) == ("sqswarm.task.failed", "Fail")
    assert told(memory, BUS) == [failed]
    assert [one["id"] for one in told(memory, BUS)] == [f"{bad}-ended"]
    await memory.housekeep(minutes=3)
    assert len(told(memory)) == 2, "once told, it owes nothing"
    assert not [item for item in memory.kept.values() if "due_at" in item]


@pytest.mark.parametrize("one", [lean, telling], ids=["lean", "standard"])
async def test_an_agent_names_who_is_told_of_each_of_its_tasks(memory, one):
    task_id = await memory.submit(one, n=1)
    await memory.settle_down()
    assert [event["subject"] for event in told(memory, TOPIC)] == [task_id]
    assert not [item for item in memory.kept.values() if "due_at" in item]


@pytest.mark.parametrize("one", [lean, standard, telling], ids=["lean", "standard", "telling"])
async def test_a_worker_that_dies_before_it_tells_leaves_that_to_housekeeping(memory, one):
    task_id = await memory.submit(one, {"notify": TOPIC}, n=1)
    memory.store.dies_after, memory.store.of_kind = 1, "settle"
    await memory.work(one)
    memory.store.dead = False
    memory.bus._queues[memory.queue(one)].messages.clear()
    assert told(memory, TOPIC) == []
    await memory.housekeep(minutes=2)
    assert [event["subject"] for event in told(memory, TOPIC)] == [task_id]


async def test_a_redelivery_tells_what_its_worker_did_not(memory):
    task_id = await memory.submit(telling, n=1)
    memory.store.dies_after, memory.store.of_kind = 1, "settle"
    await memory.work(telling)
    memory.store.dead = False
    memory.clock.advance(seconds=telling.spec.visibility_s + 1)
    await memory.settle_down()
    assert [event["subject"] for event in told(memory, TOPIC)] == [task_id]
    await memory.housekeep(minutes=3)
    assert len(told(memory, TOPIC)) == 1


async def test_who_cannot_be_told_is_told_once_it_can(memory):
    memory.bus.deaf.add(QUEUE)
    task_id = await memory.submit(standard, {"notify": [QUEUE, TOPIC]}, n=-1)
    await memory.settle_down()
    await memory.housekeep(minutes=30)
    assert told(memory) == []
    letters = await memory.letters(standard)
    assert len(letters) == 1, "what is told again and again leaves one dead letter"
    assert memory.waiting(standard) == [], "no message waits for somebody to be told"
    assert "notice.failed" in memory.log.getvalue()
    memory.bus.deaf.clear()
    await memory.housekeep(minutes=20)
    assert [event["subject"] for event in told(memory)] == [task_id]
    assert {event["id"] for event in told(memory, TOPIC)} == {f"{task_id}-ended"}


async def test_what_is_told_again_is_counted_once(memory):
    memory.bus.deaf.add(TOPIC)
    task_id = await memory.submit(parent)
    with memory.counting() as counts:
        await memory.settle_down()
        await memory.housekeep(minutes=60)
    assert (await memory.see(task_id)).result() == 3
    assert (counts["count"], counts["refused count"]) == (1, 0)
    assert (await memory.record(task_id)).untold == 0
    memory.bus.deaf.clear()
    await memory.housekeep(minutes=20)
    assert len(told(memory, TOPIC)) == 2


async def test_who_cannot_be_told_for_a_day_is_given_up(memory):
    memory.bus.deaf.add(QUEUE)
    await memory.submit(standard, {"notify": QUEUE}, n=1)
    await memory.settle_down()
    await memory.housekeep(minutes=25 * 60)
    assert memory.log.getvalue().count("notice.given_up") == 1
    assert not [item for item in memory.kept.values() if "due_at" in item]


async def test_a_cancel_tells(memory):
    recorded = await memory.submit(standard, {"notify": QUEUE}, n=1)
    await cancel(memory.connection, recorded)
    unrecorded = await memory.submit(telling, n=1)
    await cancel(memory.connection, unrecorded, agent="telling")
    assert [event["type"] for event in told(memory)] == ["sqswarm.task.cancelled"]
    assert [event["subject"] for event in told(memory, TOPIC)] == [unrecorded]
    await memory.settle_down()
    await memory.housekeep(minutes=3)
    assert len(told(memory)) == len(told(memory, TOPIC)) == 1


async def test_a_canceller_that_dies_leaves_it_to_housekeeping(memory):
    task_id = await memory.submit(standard, {"notify": QUEUE}, n=1)
    memory.store.dies_after, memory.store.of_kind = 1, "cancel"
    with pytest.raises(CrashedError):
        await cancel(memory.connection, task_id)
    memory.store.dead = False
    await memory.housekeep(minutes=2)
    assert [event["subject"] for event in told(memory)] == [task_id]


async def test_children_that_are_cancelled_with_their_parent_are_told_of(memory):
    task_id = await memory.submit(parent)
    await memory.work(parent)
    await cancel(memory.connection, task_id)
    assert [event["type"] for event in told(memory, TOPIC)] == 2 * ["sqswarm.task.cancelled"]
    await memory.settle_down()
    await memory.housekeep(minutes=3)
    assert len(told(memory, TOPIC)) == 2


async def test_children_are_told_of_and_counted(memory):
    task_id = await memory.submit(parent)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == 3
    assert len(told(memory, TOPIC)) == 2


@pytest.mark.parametrize(
    ("one", "request_"),
    [
        pytest.param(lean, {}, id="unrecorded"),
        pytest.param(standard, {"notify": TOPIC}, id="on-submit"),
        pytest.param(telling, {"durable": True}, id="by-its-agent"),
    ],
)
async def test_a_task_whose_workers_are_all_lost_is_told_of(memory, one, request_):
    task_id = await memory.submit(one, request_, n=1)
    for _ in range(one.spec.max_receive_count + 1):
        await memory.bus.receive(memory.queue(one), limit=1, wait_s=0)
        memory.clock.advance(seconds=one.spec.visibility_s + 1)
    item = next((i for k, i in memory.store.items.items() if task_id in k.pk), None)
    if item is not None:
        item["attempt"] = one.spec.max_attempts
    await memory.dead_letter_sweeper.sweep()
    await memory.housekeep(minutes=2)
    assert {event["type"] for event in told(memory, TOPIC)} == {"sqswarm.task.failed"}
    assert {event["subject"] for event in told(memory, TOPIC)} == {task_id}


async def test_a_redriven_task_tells_whom_the_first_told(memory):
    task_id = await memory.submit(standard, {"notify": QUEUE}, n=1)
    await memory.settle_down()
    again = await redrive(memory.connection, task_id)
    await memory.settle_down()
    assert [event["subject"] for event in told(memory)] == [task_id, again.task_id]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        pytest.param(OTHER, "does not tell", id="not-named-by-the-stage"),
        pytest.param("nonsense", "neither an ARN", id="no-address"),
        pytest.param("http://example.com/hook", "neither an ARN", id="plain-http"),
        pytest.param("https://me:secret@example.com/", "neither an ARN", id="user-name"),
        pytest.param("arn:aws:s3:::bucket", "neither an ARN", id="another-service"),
        pytest.param("https://example.com/hook", "does not tell", id="webhook-not-named"),
        pytest.param([f"{OTHER}{n}" for n in range(6)], "5 are possible", id="too-many"),
    ],
)
async def test_nobody_is_told_whom_the_stage_does_not_name(memory, target, why):
    with pytest.raises(NotifyRefused, match=why):
        await memory.submit(standard, {"notify": target}, n=1)
    assert memory.waiting(standard) == []
    assert not memory.kept


async def test_a_queue_may_be_named_by_its_url(memory):
    for url in (
        "https://sqs.us-east-1.amazonaws.com/000000000000/ended",
        "http://127.0.0.1:4566/000000000000/ended",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/ended",
        "http://localhost:4566/queue/us-east-1/000000000000/ended",
    ):
        await memory.submit(standard, {"notify": url}, n=1)
    await memory.settle_down()
    assert len(told(memory)) == 4


async def test_what_a_message_names_by_itself_is_told_nobody(memory):
    await memory.submit(standard, n=1)
    [body] = memory.waiting(standard)
    forged = json.loads(body)
    forged["params"]["_meta"]["dev.sqswarm/notify"] = [OTHER]
    memory.bus._queues[memory.queue(standard)].messages.clear()
    await memory.copy(standard, json.dumps(forged))
    await memory.settle_down()
    await memory.housekeep(minutes=2)
    assert memory.bus.told == {}
    assert decode(json.dumps(forged)).notify == (OTHER,)


async def test_a_task_that_names_nobody_writes_and_tells_nothing_more(memory):
    with memory.counting() as counts:
        await memory.submit(standard, n=1)
        await memory.settle_down()
    assert counts == {"acquire": 1, "settle": 1}
    with memory.counting() as counts:
        await memory.submit(telling, n=1)
        await memory.settle_down()
    assert counts == {"acquire": 1, "settle": 1, "clear due": 1}


async def test_a_batch_is_told_in_one_request(memory):
    calls = []
    tell = memory.bus.tell

    async def counted(target, messages):
        calls.append(len(messages))
        await tell(target, messages)

    memory.bus.tell = counted
    requests = [Request(arguments={"n": n}, notify=QUEUE) for n in range(10)]
    await submit(memory.connection, "standard", requests)
    await memory.settle_down()
    assert calls == [10]


def test_a_maps_rows_are_told_of_and_a_map_runs_end():
    with Memory(standard, map_run, notify=[QUEUE, TOPIC]) as swarm:
        rows = [{"n": 1}, {"n": -1}]
        ids = {done.task_id for done in swarm.map(standard, rows, notify=QUEUE)}
        assert {event["subject"] for event in swarm.told(QUEUE)} == ids
        run = swarm.start_map(standard, rows, tolerate=1, notify=TOPIC)
        run.result()
        swarm.run()
        [event] = swarm.told(TOPIC)
        assert (event["subject"], event["data"]["status"]) == (run.id, "completed")
        again = run.redrive_failures()
        swarm.run()
        assert {event["subject"] for event in swarm.told(TOPIC)} == {run.id, again.id}
        with pytest.raises(NotifyRefused):
            swarm.start_map(standard, rows, notify=OTHER)
