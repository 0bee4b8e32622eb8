"""Tasks through the real stack: SNS, SQS, the Lambda event source mapping, DynamoDB, S3."""

import time
from secrets import randbits

import pytest

from sqswarm import AsyncSwarm
from sqswarm.schemas.errors import (
    InvalidArguments,
    TaskFailed,
    TaskNotFound,
    TimedOut,
    UnknownAgent,
)
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.join import join_task_id
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message

pytestmark = pytest.mark.localstack


@pytest.fixture(scope="module", autouse=True)
def doomed(swarm, aws, tmp_path_factory):
    """Return a task whose worker dies each time: started first, for it takes two leases.

    Its queue hides a message for little longer than a lease, not for six time-outs.
    """
    url = aws("sqs").get_queue_url(QueueName="sqswarm-dev-stubborn")["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "13"})
    notes = tmp_path_factory.mktemp("doomed") / "notes"
    notes.touch()
    return swarm.submit("stubborn", action="die", notes=str(notes)), notes


@pytest.fixture(scope="module", autouse=True)
def orphaned(swarm, aws, tmp_path_factory):
    """Return a task whose first worker dies, begun early as `doomed` is."""
    url = aws("sqs").get_queue_url(QueueName="sqswarm-dev-mortal")["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "13"})
    notes = tmp_path_factory.mktemp("orphaned") / "notes"
    return swarm.submit("mortal", notes=str(notes))


def lines(notes):
    return [line.split() for line in notes.read_text().splitlines()]


def test_a_task_runs_and_its_result_comes_back(swarm):
    task = swarm.submit("echo", text="ü")
    result = task.result(timeout=120)
    assert (result["text"], result["attempt"]) == ("ü", 1)
    assert task.status() is Status.COMPLETED
    assert swarm.get(task.id).result() == result
    assert any(view.id == task.id for view in swarm.list(agent="echo"))


@pytest.mark.parametrize(
    ("agent", "arguments", "expected"),
    [
        pytest.param("add", {"a": 2, "b": 3}, 5, id="lean"),
        pytest.param("moody", {"mood": "calm"}, "calm", id="standard"),
        pytest.param("shout", {"text": "a"}, "A", id="durable"),
    ],
)
def test_every_durability_mode_ends_with_a_result(swarm, agent, arguments, expected):
    assert swarm.submit(agent, **arguments).result(timeout=120) == expected


def test_a_durable_task_resolves_at_once(swarm):
    task = swarm.submit("echo", text="x", durable=True)
    assert swarm.get(task.id).status in {Status.WORKING, Status.COMPLETED}
    task.result(timeout=120)
    assert swarm.get(task.id).record.due_at_ms is None


def test_an_event_reaches_every_subscribed_agent(swarm):
    quiet = swarm.publish("words", {"text": "hush"})
    assert [t.agent for t in quiet] == ["echo"]
    loud = swarm.publish("words", {"text": "hey"}, type="loud")
    assert [t.agent for t in loud] == ["echo", "shout"]
    echoed, shouted = (t.result(timeout=120) for t in loud)
    assert (echoed["text"], shouted) == ("hey", "HEY")
    assert quiet[0].result(timeout=120)["text"] == "hush"


@pytest.mark.parametrize("times", [1, 20_000], ids=["small", "large"])
def test_a_result_that_is_published_is_a_task_of_each_subscriber(swarm, times):
    task = swarm.submit("proclaim", text="hear ye ", times=times)
    assert len(task.result(timeout=120)["text"]) == 8 * times
    ends, hearers = time.monotonic() + 60, ("orderly", "shout")
    told = []
    while [(one.name, one.outcome) for one in told] != [(name, "completed") for name in hearers]:
        assert time.monotonic() < ends, told
        time.sleep(0.3)
        told = [one for one in task.timeline().published if one.name in hearers]
    heard = {one.name: swarm.get(one.task_id) for one in told}
    assert heard["shout"].result() == "HEAR YE " * times
    assert heard["orderly"].record.published_by == f"proclaim#{task.id}"


def test_events_of_one_key_are_joined(swarm, notes):
    assert swarm.publish("replies", {"text": "joined", "notes": str(notes)}) == []
    swarm.submit("proclaim", text="joined").result(timeout=120)
    ends, task_id = time.monotonic() + 60, join_task_id(swarm.principal, "compare", "joined")
    while task_id not in {view.id for view in swarm.list(agent="compare")}:
        assert time.monotonic() < ends
        time.sleep(0.3)
    assert swarm.task(task_id).result(timeout=60) == ["", str(notes)]


def test_map_streams_results_in_the_order_of_its_rows(swarm):
    rows = [{"a": n} for n in range(57)]
    done = list(swarm.map("add", rows, timeout=120))
    assert [d.value for d in done] == [n + 1 for n in range(57)]
    assert [d.index for d in done] == list(range(57))


def test_large_arguments_and_results_go_by_claim_check(swarm):
    text = "ü" * 200_000
    assert swarm.submit("echo", text=text).result(timeout=120)["text"] == text


def test_a_duplicate_delivery_runs_once_and_yields_one_result(swarm, notes, publish_raw):
    task_id = new_task_id(time.time_ns() // 1_000_000, randbits)
    message = Message(
        id=task_id,
        name="echo",
        arguments={"text": "twice", "notes": str(notes)},
        principal=swarm.principal,
    )
    for _ in range(5):
        publish_raw(message.encode(), "echo")
    first = swarm.get(next(swarm.wait([task_id], timeout=120)).id)
    time.sleep(2)
    assert len(lines(notes)) == 1
    assert swarm.get(task_id).record == first.record


@pytest.mark.parametrize(
    ("queue", "attribute", "body", "reason"),
    [
        pytest.param("echo", "echo", "not json", "not-json", id="not-json"),
        pytest.param("echo", "echo", {"hello": 1}, "wrong-shape", id="wrong-shape"),
        pytest.param(
            "echo",
            "echo",
            Message(
                id=new_task_id(1, randbits), name="nobody", arguments={}, principal="me"
            ).encode(),
            "unknown-agent",
            id="a-name-that-is-not-the-queues",
        ),
        pytest.param(
            "unrouted",
            "nobody",
            Message(
                id=new_task_id(2, randbits), name="nobody", arguments={}, principal="me"
            ).encode(),
            "unknown-agent",
            id="an-agent-nobody-deployed",
        ),
        pytest.param("unrouted", None, "lost", "not-json", id="no-attribute-at-all"),
    ],
)
def test_poison_ends_in_the_dead_letters_with_its_reason_and_blocks_nothing(
    swarm, deployed, publish_raw, letters, queue, attribute, body, reason
):
    if attribute is None and deployed.kind == "ministack":
        pytest.skip("ministack never matches the filter {exists: false}")
    publish_raw(body, attribute)
    assert swarm.submit("echo", text="after").result(timeout=120)["text"] == "after"
    text = body if isinstance(body, str) else '{"hello": 1}'
    found = letters(queue, lambda got, _: got == text)
    assert found["reason"] == reason
    assert found["detail"]


def test_one_failing_task_of_ten_does_not_repeat_the_others(swarm, notes):
    moods = [*(f"calm{n}" for n in range(9)), "raises"]
    from sqswarm.dispatcher.submit import Request

    tasks = swarm.submit_many(
        "moody", [Request(arguments={"mood": mood, "notes": str(notes)}) for mood in moods]
    )
    ended = {t.id: t.status() for t in swarm.wait(tasks, timeout=120)}
    assert [ended[t.id] for t in tasks] == [Status.COMPLETED] * 9 + [Status.FAILED]
    runs = [mood for mood, *_ in lines(notes)]
    assert sorted(runs) == sorted([*moods, "raises", "raises"])


def test_an_agent_that_raises_is_retried_with_growing_delays_then_failed(swarm, notes, letters):
    task = swarm.submit("moody", mood="raises", notes=str(notes))
    with pytest.raises(TaskFailed, match="KeyError: 'raises'"):
        task.result(timeout=120)
    runs = lines(notes)
    assert [attempt for _, attempt, _ in runs] == ["1", "2", "3"]
    times = [float(at) for *_, at in runs]
    assert times[2] - times[1] > times[1] - times[0] > 0.5
    assert letters("moody", lambda _, a: a.get("task_id") == task.id)["reason"] == "KeyError"


@pytest.mark.parametrize(("mood", "error"), [("fails", "Fail: never"), ("lies", "InvalidReturn")])
def test_what_no_attempt_can_mend_fails_at_once(swarm, notes, mood, error):
    with pytest.raises(TaskFailed, match=error):
        swarm.submit("moody", mood=mood, notes=str(notes)).result(timeout=120)
    assert len(lines(notes)) == 1


def test_a_function_that_hangs_is_stopped_and_its_task_failed(swarm, notes):
    task = swarm.submit("stubborn", action="hang", notes=str(notes))
    calm = swarm.submit("stubborn", action="calm")
    assert calm.result(timeout=120) == "calm"
    with pytest.raises(TaskFailed, match="AgentTimedOut"):
        task.result(timeout=120)
    assert len(lines(notes)) == 2


def test_cancel_ends_a_task(swarm):
    task = swarm.submit("moody", mood="raises")
    assert task.cancel() in {Status.CANCELLED, Status.FAILED}
    assert task.status().terminal


def test_bad_requests_are_refused_before_anything_is_published(swarm):
    with pytest.raises(UnknownAgent, match="ecco") as caught:
        swarm.submit("ecco", text="x")
    assert "echo" in caught.value.hint
    with pytest.raises(InvalidArguments, match="text"):
        swarm.submit("echo", text=3)
    with pytest.raises(TaskNotFound):
        swarm.get(new_task_id(0, randbits))
    with pytest.raises(TimedOut):
        list(swarm.wait([new_task_id(0, randbits)], timeout=0.2))


async def test_the_asynchronous_client_has_the_same_names(deployed):
    async with await AsyncSwarm.connect() as swarm:
        task = await swarm.submit("add", a=1)
        assert await task.result(timeout=120) == 2
        done = [d async for d in swarm.map("add", [{"a": n} for n in range(12)])]
        assert [d.value for d in done] == list(range(1, 13))
        [echoed] = await swarm.publish("words", {"text": "x"})
        assert (await echoed.result(timeout=120))["text"] == "x"
        assert (await swarm.get(task.id)).status is Status.COMPLETED


def test_what_an_agent_logs_is_in_cloudwatch(swarm, aws):
    swarm.submit("echo", text="logged").result(timeout=120)
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        events = aws("logs").filter_log_events(logGroupName="/aws/lambda/sqswarm-dev-echo")
        if any("echo.ran" in e["message"] for e in events["events"]):
            return
        time.sleep(0.2)
    pytest.fail("the log line never came")


def test_a_worker_that_dies_every_time_ends_the_task_with_the_reason(doomed):
    task, notes = doomed
    with pytest.raises(TaskFailed, match="WorkerLost: the worker was lost 2 times"):
        task.result(timeout=150)
    assert len(lines(notes)) == 2
    spans = task.timeline().spans
    assert [span.outcome for span in spans if span.kind == "attempt"] == ["lost", "lost"]


def test_a_task_tells_which_worker_was_lost_and_which_ended_it(orphaned, swarm, aws):
    assert orphaned.result(timeout=150) == 2
    found = swarm.timeline(orphaned.id)
    kinds = [(span.kind.value, span.outcome) for span in found.spans]
    assert kinds == [
        ("queue", None),
        ("attempt", "lost"),
        ("queue", None),
        ("attempt", "completed"),
    ]
    lost, done = found.spans[1], found.spans[3]
    # Not the worker: Lambda starts a process anew in the environment, and log, of one that died.
    assert lost.request_id != done.request_id
    assert found.queue_ms + found.run_ms == found.duration_ms
    streams = aws("logs").describe_log_streams(logGroupName="/aws/lambda/sqswarm-dev-mortal")
    names = [stream["logStreamName"] for stream in streams["logStreams"]]
    for attempt in (lost, done):
        assert any(attempt.worker in name for name in names)
    assert orphaned.timeline() == found
