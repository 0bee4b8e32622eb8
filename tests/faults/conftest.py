"""The soak's agents on the session's emulator, every AWS call of theirs through a fault proxy."""

import contextlib
import json
import time
from dataclasses import replace

import pytest
from benchmarks.faults import Proxy
from benchmarks.soak.swarm import deploy_behind, plan_behind

from sqswarm import Swarm
from sqswarm.backends.aws.connect import client_factory, settings_from_environment

STAGE = "faults"


@pytest.fixture(scope="session")
def behind(emulator, tmp_path_factory):
    """The proxy, the deployed names and the folder of the functions' notes."""
    if emulator.kind != "localstack":
        pytest.skip("the fault matrix is LocalStack's: killed processes, redirected functions")
    notes = tmp_path_factory.mktemp("fault-notes")
    with Proxy(emulator.endpoint_url) as proxy:
        variables = {"SOAK_NOTES": str(notes)}
        names = deploy_behind(plan_behind(proxy, stage=STAGE, variables=variables))
        yield proxy, names, notes


@pytest.fixture
def proxy(behind):
    """Return the proxy, with no rule in force before and after the test."""
    behind[0].clear()
    yield behind[0]
    behind[0].clear()


@pytest.fixture(scope="session")
def settings(behind):
    return replace(settings_from_environment(), stage=STAGE)


@pytest.fixture(scope="session")
def swarm(behind, settings):
    """A dispatcher that goes through the proxy as well."""
    with Swarm.connect(replace(settings, endpoint_url=behind[0].endpoint_url)) as connected:
        yield connected


@pytest.fixture(scope="session")
def aws(settings):
    """Clients of the emulator itself, round the proxy."""
    return client_factory(settings)


@pytest.fixture(scope="session")
def runs(behind):
    """Return what the functions noted about a task."""

    def find(task_id, what="run"):
        found = []
        for path in behind[2].glob("*.jsonl"):
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):
                    noted = json.loads(line)
                    if noted.get("task") == task_id and noted["what"] == what:
                        found.append(noted)
        return sorted(found, key=lambda noted: noted["at"])

    return find


@pytest.fixture
def keep_house(behind, aws):
    """Return a function that has housekeeping look now, and not only at the next minute."""

    def invoke():
        answer = aws("lambda").invoke(FunctionName=behind[1].function("housekeeping"), Payload="{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())

    return invoke


@pytest.fixture
def letters(behind, aws):
    """Return the reasons that an agent's dead letters give for a task."""

    def find(agent, task_id):
        url = aws("sqs").get_queue_url(QueueName=behind[1].dead_letter_queue(agent))["QueueUrl"]
        got = aws("sqs").receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        attributes = [
            {n: v["StringValue"] for n, v in message.get("MessageAttributes", {}).items()}
            for message in got.get("Messages", [])
        ]
        return [given["reason"] for given in attributes if given.get("task_id") == task_id]

    return find


@pytest.fixture(scope="session")
def until():
    def wait(question, *, timeout_s=120):
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            if found := question():
                return found
            time.sleep(0.1)
        return pytest.fail("it never became true")

    return wait
