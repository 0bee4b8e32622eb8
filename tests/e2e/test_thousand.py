"""A thousand tasks through the whole stack: none lost, none doubled, and no call too many."""

import time
from collections import Counter
from pathlib import Path

import pytest
from aws_prices import PRICES
from botocore.client import BaseClient

from sqswarm.dispatcher.submit import Request

pytestmark = pytest.mark.localstack

TASKS = 1000


@pytest.fixture
def paused(aws):
    """Return functions that stop and start the delivery to an agent's function."""
    mappings = aws("lambda").list_event_source_mappings(FunctionName="sqswarm-dev-counted")
    [mapping] = mappings["EventSourceMappings"]

    def switch(*, enabled):
        aws("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
        wanted = "Enabled" if enabled else "Disabled"
        for _ in range(200):
            state = aws("lambda").get_event_source_mapping(UUID=mapping["UUID"])["State"]
            if state == wanted:
                return
            time.sleep(0.1)
        pytest.fail(f"the event source mapping is not {wanted}")

    switch(enabled=False)
    yield lambda: switch(enabled=True)
    switch(enabled=True)


def test_a_thousand_tasks_lose_and_double_nothing_at_the_counted_price(
    swarm, aws, paused, monkeypatch
):
    """Full batches: the queue fills first. The figures are those of design.md §8."""
    calls_file = Path("/tmp/sqswarm-probe-calls")
    calls_file.unlink(missing_ok=True)
    sent = Counter()
    plain = BaseClient._make_api_call

    def counted(self, operation, params):
        sent[operation] += 1
        return plain(self, operation, params)

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", counted)
        tasks = swarm.submit_many(
            "counted", [Request(arguments={"number": n}) for n in range(TASKS)]
        )
    paused()
    results = {t.id: t.result() for t in swarm.wait(tasks, timeout=120)}
    assert [results[t.id] for t in tasks] == list(range(TASKS))

    # The event source mapping deletes a batch after its invocation has returned.
    url = aws("sqs").get_queue_url(QueueName="sqswarm-dev-counted")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for _ in range(100):
        left = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if set(left.values()) == {"0"}:
            break
        time.sleep(0.1)
    assert set(left.values()) == {"0"}
    attempts = {swarm.get(t.id).record.attempt for t in tasks[::50]}
    assert attempts == {1}

    assert dict(sent) == {"PublishBatch": TASKS / 10}
    worked = Counter(calls_file.read_text().split())
    batches = worked.pop("invoke")
    assert set(worked) == {"BatchExecuteStatement"}
    dynamodb_calls = worked["BatchExecuteStatement"] / TASKS
    # What Lambda's poller asks of SQS: one receive and one delete a batch.
    messaging = (sent["PublishBatch"] + 2 * batches) / TASKS
    assert dynamodb_calls <= 0.2 * 1.02  # a first batch may be taken before the queue is full
    assert messaging <= 0.35

    # Acquire and settle each write the record: its size decides how many units that is.
    name = "sqswarm-dev"
    raw = aws("dynamodb").get_item(
        TableName=name, Key={"pk": {"S": f"task#counted#{tasks[-1].id}"}, "sk": {"S": "task"}}
    )["Item"]
    pages = (
        aws("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "activity#counted"}},
        )
    )
    told = sum(units_of(item) for page in pages for item in page["Items"])
    assert told <= 0.25 * TASKS
    units = 2 * units_of(raw) * TASKS + told
    requests = {"sns": TASKS / 10, "sqs": 2 * batches, "write units": units}
    dollars = sum(PRICES[what] * count for what, count in requests.items()) * 100_000 / TASKS
    assert dollars <= 0.16


def units_of(item):
    """Return the write units that an item takes, at most."""
    return -(-size_of(item) // 1024)


def size_of(item):
    """Return an upper bound of an item's size in bytes (DynamoDB Developer Guide, "Item sizes")."""
    return sum(
        len(name.encode()) + len(str(*value.values()).encode()) for name, value in item.items()
    )
