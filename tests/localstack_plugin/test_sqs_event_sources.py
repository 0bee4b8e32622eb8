"""SQS event sources are polled as AWS polls them."""

import json
import time

import pytest
from botocore.exceptions import ClientError

from .conftest import wait_for

pytestmark = pytest.mark.localstack

# Writes one file per invocation: when it began and ended, and what it got.
CODE = """
import json, os, time, uuid, boto3
sqs = boto3.client("sqs")

def handler(event, context):
    begun = time.time()
    records = event["Records"]
    bodies = [record["body"] for record in records]
    time.sleep(float(os.environ.get("SLEEP", "0")))
    failed = [r for r in records if "fail" in r["body"]]
    for record in failed:
        if "hide" in record["body"]:
            seconds = int(record["body"].split("hide-")[1])
            sqs.change_message_visibility(
                QueueUrl=os.environ["QUEUE"], ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=seconds)
    note = {"begun": begun, "ended": time.time(), "bodies": bodies, "pid": os.getpid(),
            "counts": [r["attributes"]["ApproximateReceiveCount"] for r in records]}
    path = f"{os.environ['NOTES']}/{uuid.uuid4().hex}"
    open(path + ".tmp", "w").write(json.dumps(note))
    os.rename(path + ".tmp", path + ".json")
    if any("crash" in body for body in bodies):
        raise RuntimeError("crash")
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in failed]}
"""


def read(notes):
    return sorted(
        (json.loads(file.read_text()) for file in notes.glob("*.json")),
        key=lambda note: note["begun"],
    )


def bodies(notes):
    return [body for note in read(notes) for body in note["bodies"]]


@pytest.fixture
def source(cloud, notes):
    """Make a queue, a function and the mapping between them."""
    mappings = []

    def make(*, visibility=30, sleep=0.0, queue=None, **settings):
        url, arn = cloud.queue(visibility=visibility, **(queue or {}))
        name = cloud.function(CODE, NOTES=str(notes), QUEUE=url, SLEEP=str(sleep))
        # Warm, so that a cold start on a busy machine does not use up a short visibility.
        cloud.invoke(name, {"Records": []})
        for note in notes.glob("*.json"):
            note.unlink()
        mappings.append(cloud.connect(arn, name, **settings))
        return url

    yield make
    for mapping in mappings:
        cloud.lambda_.delete_event_source_mapping(UUID=mapping)


def test_an_event_source_without_its_queue_is_refused(cloud):
    name = cloud.function("def handler(e, c): pass")
    arn = "arn:aws:sqs:us-east-1:000000000000:no-such-queue"
    with pytest.raises(ClientError, match="InvalidParameterValueException"):
        cloud.lambda_.create_event_source_mapping(EventSourceArn=arn, FunctionName=name)


def test_bodies_arrive_byte_for_byte(cloud, source, notes):
    url = source()
    odd = ['{"a":1,   "b" : [ ]}', '"bare"', "17", "é ☃ \\u00e9", '{"é":"\\u2603"}', " x ", "null"]
    cloud.send(url, *odd)
    assert sorted(wait_for(lambda: len(got := bodies(notes)) == len(odd) and got)) == sorted(odd)
    wait_for(lambda: cloud.depth(url) == 0)


def test_a_filter_sees_into_the_body_and_drops_the_rest(cloud, source, notes):
    pattern = json.dumps({"body": {"kind": ["task"]}})
    url = source(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    cloud.send(url, '{"kind":  "task"}', '{"kind": "other"}', "not json")
    wait_for(lambda: cloud.depth(url) == 0 and bodies(notes))
    assert bodies(notes) == ['{"kind":  "task"}']


def test_as_many_batches_run_at_once_as_maximum_concurrency_says(cloud, source, notes):
    url = source(BatchSize=1, sleep=1, ScalingConfig={"MaximumConcurrency": 3})
    cloud.send(url, *[str(n) for n in range(9)])
    wait_for(lambda: len(read(notes)) == 9, timeout_s=120)
    assert max(_overlaps(read(notes))) == 3


def test_a_slow_batch_holds_up_neither_its_own_queue_nor_another(cloud, source, notes):
    slow = source(BatchSize=1, sleep=3.5, ScalingConfig={"MaximumConcurrency": 2})
    quick = source(BatchSize=1)
    cloud.send(slow, "slow-1", "slow-2")
    time.sleep(0.3)
    cloud.send(quick, *[f"quick-{n}" for n in range(5)])
    wait_for(lambda: len(read(notes)) == 7)
    of = {note["bodies"][0]: note for note in read(notes)}
    assert (
        max(note["ended"] for body, note in of.items() if "quick" in body) < of["slow-1"]["ended"]
    )
    assert of["slow-1"]["begun"] < of["slow-2"]["ended"]
    assert of["slow-2"]["begun"] < of["slow-1"]["ended"]


@pytest.mark.usefixtures("localstack_only")  # ministack ignores the batching window
def test_a_window_collects_messages(cloud, source, notes):
    url = source(BatchSize=5, MaximumBatchingWindowInSeconds=4)
    for n in range(3):
        cloud.send(url, f"single-{n}")
        time.sleep(0.2)
    wait_for(lambda: read(notes))
    assert len(read(notes)[0]["bodies"]) == 3


@pytest.mark.usefixtures("localstack_only")
def test_a_full_batch_does_not_wait_for_its_window(cloud, source, notes):
    url = source(BatchSize=5, MaximumBatchingWindowInSeconds=300)
    cloud.send(url, *[f"full-{n}" for n in range(5)])
    wait_for(lambda: read(notes))
    assert len(read(notes)[0]["bodies"]) == 5


def test_only_the_items_reported_as_failed_come_back(cloud, source, notes):
    url = source(visibility=5)
    cloud.send(url, "ok-1", "fail-once", "ok-2")
    wait_for(lambda: bodies(notes).count("fail-once") >= 2)
    assert bodies(notes).count("ok-1") == bodies(notes).count("ok-2") == 1


def test_the_handlers_own_visibility_holds_for_what_it_reports_as_failed(cloud, source, notes):
    url = source(visibility=30)
    cloud.send(url, "fail hide-1")
    first, second = wait_for(lambda: len(got := read(notes)) >= 2 and got)[:2]
    assert 0.8 < second["begun"] - first["ended"] < 25
    assert second["counts"] == ["2"]


def test_a_visibility_longer_than_the_queues_own_holds_too(cloud, source, notes):
    url = source(visibility=3)
    cloud.send(url, "fail hide-6")
    first, second = wait_for(lambda: len(got := read(notes)) >= 2 and got)[:2]
    assert second["begun"] - first["ended"] > 4


def test_a_failed_invocation_brings_the_whole_batch_back_after_its_visibility(cloud, source, notes):
    url = source(visibility=2)
    cloud.send(url, "crash", "other")
    wait_for(lambda: bodies(notes).count("other") >= 2 and bodies(notes).count("crash") >= 2)
    notes_of = [note for note in read(notes) if "other" in note["bodies"]]
    assert notes_of[1]["begun"] - notes_of[0]["begun"] > 1.2


def test_a_message_that_keeps_failing_ends_in_the_dead_letter_queue(cloud, source, notes):
    dead_url, dead_arn = cloud.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url = source(visibility=2, queue={"RedrivePolicy": redrive})
    cloud.send(url, "fail-always")
    wait_for(lambda: cloud.depth(dead_url) == 1, timeout_s=120)
    assert bodies(notes).count("fail-always") == 2
    assert cloud.depth(url) == 0


def test_a_fifo_queue_keeps_its_order_within_a_group(cloud, source, notes):
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = source(queue=fifo, BatchSize=2, sleep=0.1)
    for n in range(6):
        cloud.sqs.send_message(QueueUrl=url, MessageBody=f"{n}", MessageGroupId=f"g{n % 2}")
    wait_for(lambda: len(bodies(notes)) == 6)
    seen = bodies(notes)
    assert [b for b in seen if int(b) % 2 == 0] == ["0", "2", "4"]
    assert [b for b in seen if int(b) % 2 == 1] == ["1", "3", "5"]


def _overlaps(found):
    return [
        sum(other["begun"] <= note["begun"] < other["ended"] for other in found) for note in found
    ]


@pytest.fixture
def fifo(cloud):
    url = cloud.sqs.create_queue(
        QueueName=f"q{time.time_ns()}.fifo",
        Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
    )["QueueUrl"]
    yield url
    cloud.sqs.delete_queue(QueueUrl=url)


def taken(cloud, url, wait_s=1):
    answer = cloud.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_s)
    return {m["Body"]: m["ReceiptHandle"] for m in answer.get("Messages", [])}


def test_a_message_does_not_overtake_a_hidden_one_of_its_group(cloud, fifo, localstack_only):
    for body, group in [("a1", "a"), ("a2", "a"), ("b1", "b")]:
        cloud.sqs.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId=group)
    receipts = taken(cloud, fifo)
    assert list(receipts) == ["a1", "a2", "b1"]
    for body, seconds in [("a1", 4), ("a2", 0), ("b1", 0)]:
        cloud.sqs.change_message_visibility(
            QueueUrl=fifo, ReceiptHandle=receipts[body], VisibilityTimeout=seconds
        )
    assert list(taken(cloud, fifo)) == ["b1"]
    assert list(taken(cloud, fifo, wait_s=20)) == ["a1", "a2"]


def test_a_hidden_message_holds_back_no_other_group(cloud, fifo, localstack_only):
    for body in ("a1", "b1"):
        cloud.sqs.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId=body)
    for body, receipt in taken(cloud, fifo).items():
        seconds = 30 if body == "a1" else 1
        cloud.sqs.change_message_visibility(
            QueueUrl=fifo, ReceiptHandle=receipt, VisibilityTimeout=seconds
        )
    assert list(taken(cloud, fifo, wait_s=20)) == ["b1"]
