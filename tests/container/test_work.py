"""`sqswarm work` as a process, on the emulator: nothing lost, nothing twice, a clean end."""

import json
import signal
import time

import pytest

pytestmark = pytest.mark.localstack


def left(aws, url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(found[name]) for name in names]


def test_two_workers_share_the_tasks_and_do_each_once(swarm, start, notes, aws, queue_url):
    rows = [{"number": n, "notes": str(notes)} for n in range(200)]
    workers = [start("count"), start("count")]
    results = [done.value for done in swarm.map("count", rows, timeout=120)]
    assert results == list(range(200))
    ran = [line.split() for line in notes.read_text().splitlines()]
    assert sorted(int(number) for number, _, _ in ran) == list(range(200))
    assert {attempt for _, attempt, _ in ran} == {"1"}
    assert len({pid for _, _, pid in ran}) == 2
    assert [worker.stop() for worker in workers] == [0, 0]
    assert left(aws, queue_url("count")) == [0, 0]


def test_children_are_worked_for_too(swarm, start, notes):
    start("parent", "count")
    task = swarm.submit("parent", numbers=[1, 2, 3], notes=str(notes))
    assert task.result(timeout=120) == 6


@pytest.mark.proof
def test_a_long_task_runs_once_and_a_killed_workers_comes_back(swarm, start, notes, soon, tmp_path):
    """Both take longer than a lease and a visibility, so they are waited for together."""
    long_notes = tmp_path / "long"
    long_notes.touch()
    start("slow", "--concurrency", "1")
    long_task = swarm.submit("slow", seconds=85, notes=str(long_notes))
    while "start" not in long_notes.read_text():
        time.sleep(0.05)
    doomed = start("slow", "--concurrency", "1")
    task = swarm.submit("slow", seconds=30, notes=str(notes))
    soon("start")
    doomed.process.kill()
    start("slow", "--concurrency", "1")
    assert long_task.result(timeout=120) == 1
    ran = [line.split()[:2] for line in long_notes.read_text().splitlines()]
    assert ran == [["step", "1"], ["start", "1"], ["end", "1"]]
    assert task.result(timeout=120) == 2
    assert len(soon("step")) == 1


def test_a_stopped_worker_lets_its_task_finish(swarm, start, notes, soon):
    worker = start("slow")
    task = swarm.submit("slow", seconds=3, notes=str(notes))
    soon("start")
    assert worker.stop() == 0
    assert task.status() == "completed"
    assert [event["event"] for event in worker.events()][-1] == "worker.stopped"


def test_what_does_not_finish_in_time_is_handed_back_at_once(
    swarm, start, notes, soon, aws, queue_url
):
    worker = start("slow", "--grace", "0")
    task = swarm.submit("slow", seconds=600, notes=str(notes))
    soon("start")
    assert worker.stop() == 0
    assert task.status() == "working"
    assert left(aws, queue_url("slow")) == [1, 0]
    again = start("slow")
    soon("start", number=2)
    assert task.result(timeout=120) == 2
    assert len(soon("step")) == 1
    assert again.stop(signal.SIGINT) == 0


def test_no_more_tasks_at_a_time_than_there_are_slots(swarm, start, notes, aws, queue_url):
    start("busy")
    list(swarm.map("busy", [{"notes": str(notes)}] * 12, timeout=120))
    events = sorted(
        (float(at), 1 if what == "in" else -1)
        for what, at in map(str.split, notes.read_text().splitlines())
    )
    now = most = 0
    for _, change in events:
        now += change
        most = max(most, now)
    assert most == 3


def test_an_ordered_agent_keeps_the_order_of_each_key(swarm, start, notes):
    tasks = [
        swarm.submit("orderly", text=f"{key}{n}", notes=str(notes), ordering_key=key)
        for n in range(6)
        for key in "ab"
    ]
    start("orderly")
    for task in tasks:
        task.result(timeout=120)
    lines = notes.read_text().splitlines()
    assert [x for x in lines if x[0] == "a"] == [f"a{n}" for n in range(6)]
    assert [x for x in lines if x[0] == "b"] == [f"b{n}" for n in range(6)]


@pytest.mark.proof
def test_a_stolen_task_is_let_go(swarm, start, notes, soon, aws):
    worker = start("slow")
    task = swarm.submit("slow", seconds=45, notes=str(notes))
    soon("start")
    key = {"pk": {"S": f"task#slow#{task.id}"}, "sk": {"S": "task"}}
    [table] = [t for t in aws("dynamodb").list_tables()["TableNames"] if "-crew" in t]
    aws("dynamodb").update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET v = :v",
        ExpressionAttributeValues={":v": {"S": "another"}},
    )
    worker.wait_for("lease.lost", timeout_s=120)
    assert len(soon("start")) == 1
    assert not [line for line in notes.read_text().splitlines() if line.startswith("end")]
    swarm.get(task.id)
    task.cancel()


def test_a_poisoned_message_is_put_aside_with_its_reason(start, aws, queue_url):
    worker = start("count")
    aws("sqs").send_message(QueueUrl=queue_url("count"), MessageBody="{not json")
    for _ in range(20):
        got = aws("sqs").receive_message(
            QueueUrl=queue_url("count", "-dlq"),
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
        )
        if "Messages" in got:
            break
    [letter] = got["Messages"]
    aws("sqs").delete_message(
        QueueUrl=queue_url("count", "-dlq"), ReceiptHandle=letter["ReceiptHandle"]
    )
    assert letter["Body"] == "{not json"
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "not-json"
    assert worker.stop() == 0


def test_a_thread_that_hangs_ends_the_process_for_a_fresh_one(swarm, start):
    worker = start("stuck")
    task = swarm.submit("stuck", seconds=60)
    assert worker.process.wait(40) == 1
    task_end = swarm.get(task.id).record
    assert task_end.status == "failed"


def test_the_health_file_is_touched(start, tmp_path):
    file = tmp_path / "alive"
    worker = start("count", "--health-file", file)
    ends = time.monotonic() + 10
    while not file.exists():
        assert time.monotonic() < ends
        time.sleep(0.1)
    worker.stop()


def test_an_unknown_agent_is_refused_by_name(settings, cli_in_crew):
    done = cli_in_crew("work", "nobody")
    assert done.returncode == 2
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert "nobody" in error["message"]
    assert "count" in error["hint"]


def test_without_an_endpoint_it_says_so(settings, cli_in_crew):
    done = cli_in_crew("--endpoint", "http://127.0.0.1:9", "work", "count")
    assert done.returncode == 3
    assert "nothing answers" in done.stderr


def test_without_its_queue_it_says_so(settings, cli_in_crew):
    done = cli_in_crew("--stage", "nowhere", "work", "count")
    assert done.returncode == 3
    assert "sqswarm deploy" in done.stderr


def test_a_paused_agents_worker_takes_nothing_until_it_is_resumed(swarm, start, notes):
    swarm.pause("count")
    worker = start("count")
    worker.wait_for("worker.paused")
    task = swarm.submit("count", number=4, notes=str(notes))
    time.sleep(2)
    assert task.status() == "working"
    assert notes.read_text() == ""
    swarm.resume("count")
    assert task.result(timeout=120) == 4
    assert worker.stop() == 0
