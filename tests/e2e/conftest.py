"""One deployed swarm for the session: the probe agents on the emulator."""

import json
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def deployed(emulator):
    """Deploy the probe swarm once."""
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    project = find_project(HERE / "probe_swarm")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE / "probe_swarm"))
        deploy(settings_from_environment(), plan(project, stage="dev"), Reports())
        yield emulator


@pytest.fixture(scope="session")
def swarm(deployed):
    from sqswarm import Swarm

    with Swarm.connect() as connected:
        yield connected


@pytest.fixture(scope="session")
def aws(deployed):
    """Clients by service name."""
    from sqswarm.backends.aws.connect import client_factory, settings_from_environment

    return client_factory(settings_from_environment())


@pytest.fixture
def notes(tmp_path):
    """A file in which the agents note their runs."""
    path = tmp_path / "notes"
    path.touch()
    return path


@pytest.fixture
def letters(aws):
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
def publish_raw(aws):
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
