"""Fixtures of the end-to-end tests: the probe swarm, what its agents note, its dead letters."""

import json
import time

import pytest
from probe_stage import aws, deployed, swarm  # noqa: F401


@pytest.fixture
def notes(tmp_path):
    """A file in which the agents note their runs."""
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def letters(aws):  # noqa: F811
    """Return the dead letters of a queue, waiting until one satisfies the question."""

    def find(agent, wanted, *, timeout_s=120):
        url = aws("sqs").get_queue_url(QueueName=f"sqswarm-dev-{agent}-dlq")["QueueUrl"]
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            got = aws("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=1,
                MessageAttributeNames=["All"],
            )
            for message in got.get("Messages", []):
                attributes = {
                    n: v["StringValue"] for n, v in message.get("MessageAttributes", {}).items()
                }
                if wanted(message["Body"], attributes):
                    return attributes
        pytest.fail(f"no such dead letter in {agent}'s queue after {timeout_s} s")

    return find


@pytest.fixture
def publish_raw(aws):  # noqa: F811
    """Publish a body to the topic `tasks` as it is, with the attribute `agent`."""

    def publish(body, agent=None):
        attributes = (
            {"agent": {"DataType": "String", "StringValue": agent}} if agent is not None else {}
        )
        aws("sns").publish(
            TopicArn="arn:aws:sns:us-east-1:000000000000:sqswarm-dev-tasks",
            Message=body if isinstance(body, str) else json.dumps(body),
            MessageAttributes=attributes,
        )

    return publish
