"""A real emulator on a free port, and short ways to make functions and queues on it."""

import base64
import io
import json
import socket
import time
import uuid
import zipfile
from dataclasses import dataclass

import boto3
import pytest
from botocore.config import Config

from sqswarm.infra.local import Emulator, environment_variables


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, *, timeout_s: float = 120):
    """Return the first true answer of `what`; an emulator's effects are not immediate."""
    deadline = time.monotonic() + timeout_s
    while not (answer := what()):
        assert time.monotonic() < deadline, f"still {answer!r} after {timeout_s} s"
        time.sleep(0.03)
    return answer


def archive(code: str) -> bytes:
    """Zip a function's one module, without the time of day: the same code is the same archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("main.py"), code)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def kind(request) -> str:
    """Which emulator the session runs against."""
    return request.config.getoption("--emulator")


@pytest.fixture
def localstack_only(kind):
    """For what ministack does differently; localstack/README.md lists it."""
    if kind != "localstack":
        pytest.skip("ministack differs here")


@dataclass
class Reply:
    payload: object
    error: str | None
    log: str


class Cloud:
    """The emulator as the tests use it."""

    def __init__(self, emulator: Emulator, *, account: str = "000000000000") -> None:
        self._environ = environment_variables(emulator, account=account)
        self._role = f"arn:aws:iam::{account}:role/test"
        self._clients = {}

    def __getattr__(self, service: str):
        if service not in self._clients:
            self._clients[service] = boto3.client(
                {"lambda_": "lambda"}.get(service, service),
                endpoint_url=self._environ["AWS_ENDPOINT_URL"],
                region_name=self._environ["AWS_REGION"],
                aws_access_key_id=self._environ["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self._environ["AWS_SECRET_ACCESS_KEY"],
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=40),
            )
        return self._clients[service]

    def function(self, code: str, *, timeout: int = 10, **variables: str) -> str:
        name = f"fn-{uuid.uuid4().hex[:8]}"
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="main.handler",
            Role=self._role,
            Code={"ZipFile": archive(code)},
            Timeout=timeout,
            MemorySize=256,
            Environment={"Variables": variables},
        )
        wait_for(
            lambda: (
                self.lambda_.get_function(FunctionName=name)["Configuration"]["State"] == "Active"
            )
        )
        return name

    def invoke(self, name: str, event: object = None) -> Reply:
        answer = self.lambda_.invoke(
            FunctionName=name, Payload=json.dumps(event or {}), LogType="Tail"
        )
        return Reply(
            payload=json.loads(answer["Payload"].read() or b"null"),
            error=answer.get("FunctionError"),
            log=base64.b64decode(answer.get("LogResult", "")).decode(),
        )

    def queue(self, *, visibility: int = 30, **attributes: str) -> tuple[str, str]:
        name = f"q-{uuid.uuid4().hex[:8]}" + (".fifo" if "FifoQueue" in attributes else "")
        url = self.sqs.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(visibility), **attributes}
        )["QueueUrl"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, answer["Attributes"]["QueueArn"]

    def connect(self, queue_arn: str, function: str, **settings) -> str:
        settings = {
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        } | settings
        uuid_ = self.lambda_.create_event_source_mapping(
            EventSourceArn=queue_arn, FunctionName=function, **settings
        )["UUID"]
        wait_for(lambda: self.lambda_.get_event_source_mapping(UUID=uuid_)["State"] == "Enabled")
        return uuid_

    def send(self, url: str, *bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            chunk = bodies[start : start + 10]
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(chunk)]
            assert not self.sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

    def depth(self, url: str) -> int:
        """How many messages the queue holds, visible or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def table(self) -> str:
        name = f"t-{uuid.uuid4().hex[:8]}"
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "due", "AttributeType": "N"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-due",
                    "KeySchema": [
                        {"AttributeName": "sk", "KeyType": "HASH"},
                        {"AttributeName": "due", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
        return name


@pytest.fixture(scope="session")
def cloud(emulator) -> Cloud:
    return Cloud(emulator)


@pytest.fixture
def notes(tmp_path):
    """A folder that functions write to; each file is one line of what they did."""
    return tmp_path
