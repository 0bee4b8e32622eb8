"""Poison sent straight to the real topic: its neighbours complete at once, it is put aside."""

from __future__ import annotations

import time

import pytest
from poison import Poison, body_of, poisons

pytestmark = pytest.mark.localstack

GOOD = 5
WITHIN_S = 10


@pytest.fixture
def aside(aws):
    """Return the bodies and reasons of an agent's dead letters, once there are as many."""
    url = aws("sqs").get_queue_url(QueueName="sqswarm-dev-echo-dlq")["QueueUrl"]

    def find(bodies, *, timeout_s=60):
        found = {}
        ends = time.monotonic() + timeout_s
        while set(found) < bodies and time.monotonic() < ends:
            got = aws("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=timeout_s,
                MessageAttributeNames=["All"],
            )
            for letter in got.get("Messages", []):
                if letter["Body"] in bodies:
                    reason = letter["MessageAttributes"]["reason"]["StringValue"]
                    found.setdefault(letter["Body"], []).append(reason)
        return found

    return find


def test_five_good_messages_and_one_of_each_poison(swarm, aws, publish_raw, aside):
    made = poisons("echo")
    over = Poison(body=body_of("echo", text=f'"{"x" * 420_000}"'), reason="not-storable")
    url = aws("sqs").get_queue_url(QueueName="sqswarm-dev-echo")["QueueUrl"]
    swarm.submit("echo", text="warm").result(timeout=120)
    good = []
    for n, poison in enumerate(made.values()):
        publish_raw(poison.body, agent="echo")
        if n % (len(made) // GOOD) == 0 and len(good) < GOOD:
            good.append((time.monotonic(), swarm.submit("echo", text=f"good {n}")))
    aws("sqs").send_message(QueueUrl=url, MessageBody=over.body)  # SNS carries no more than 256 KB
    for sent, task in good:
        result = task.result(timeout=WITHIN_S - (time.monotonic() - sent))
        assert (result["attempt"], swarm.get(task.id).record.attempt) == (1, 1)
    found = aside({over.body, *(poison.body for poison in made.values())})
    for name, poison in {**made, "over-400-KB": over}.items():
        assert (name, found.get(poison.body)) == (name, [poison.reason])


def test_a_forged_message_changes_nothing_of_its_victim(swarm, publish_raw, aside):
    task = swarm.submit("shout", text="mine", idempotency_key="forged", delay=20)
    forged = [
        body_of("echo", task_id=task.id, principal="mallory", arguments={"text": "other"}),
        body_of("echo", parent=f"{task.id}#0", **{"parent-agent": "shout"}),
    ]
    for body in forged:
        publish_raw(body, agent="echo")
    assert aside(set(forged)) == {body: ["no-record"] for body in forged}
    assert swarm.get(task.id).record.attempt == 0
    assert task.result(timeout=120) == "MINE"
