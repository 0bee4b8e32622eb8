"""Every twin of every port: the memory one, and the AWS one on the emulator."""

import uuid
from dataclasses import dataclass, replace

import pytest
from task_table import make_table

from sqswarm.backends.aws.caller import AioCaller, BlockingCaller, ThreadedCaller
from sqswarm.backends.aws.connect import (
    backends,
    client_factory,
    client_options,
    settings_from_environment,
)
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.runner import AsyncRunner
from sqswarm.schemas.naming import Names


@dataclass(frozen=True, kw_only=True)
class Place:
    """A topic and one queue that subscribes to it for one agent's messages."""

    topic: str
    queue: str
    agent: str = "keywords"


@pytest.fixture(scope="session")
def aws_settings(emulator):
    """Settings of a stage whose table and bucket are made here, without a deployment."""
    settings = replace(
        settings_from_environment(), stage="contract", account="000000000000", principal="me"
    )
    get = client_factory(settings)
    names = Names(stage="contract", account="000000000000", region=settings.region)
    make_table(get("dynamodb"), names)
    get("s3").create_bucket(Bucket="sqswarm-contract-000000000000-us-east-1")
    return settings


@pytest.fixture(
    params=[
        "memory",
        *(
            pytest.param(caller, marks=pytest.mark.localstack)
            for caller in ("blocking", "threaded", "aio")
        ),
    ]
)
async def ports(request):
    """The ports in memory, and the AWS adapters over each way of calling AWS."""
    runner = AsyncRunner()
    if request.param == "memory":
        yield MemoryStore(), MemoryBus(runner.now_ms), MemoryBlobs()
        return
    settings = request.getfixturevalue("aws_settings")
    if request.param == "aio":
        import aioboto3

        caller = AioCaller(aioboto3.Session(), lambda service: client_options(settings, service))
    else:
        kind = BlockingCaller if request.param == "blocking" else ThreadedCaller
        caller = kind(client_factory(settings))
    made = backends(settings, caller, runner)
    yield made.store, made.bus, made.blobs
    if request.param == "aio":
        await caller.close()


@pytest.fixture
def store(ports):
    return ports[0]


@pytest.fixture
def bus(ports):
    return ports[1]


@pytest.fixture
def blobs(ports):
    return ports[2]


@pytest.fixture
def place(request, ports):
    """Make a topic and a queue behind it."""
    name = uuid.uuid4().hex[:8]
    here = Place(topic=f"sqswarm-contract-{name}", queue=f"sqswarm-contract-{name}")
    bus = ports[1]
    if isinstance(bus, MemoryBus):
        bus.make_queue(here.queue)
        bus.subscribe(here.topic, here.queue, {"agent": [here.agent]})
        return here
    get = client_factory(request.getfixturevalue("aws_settings"))
    get("sqs").create_queue(QueueName=here.queue)
    get("sns").subscribe(
        TopicArn=get("sns").create_topic(Name=here.topic)["TopicArn"],
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{here.queue}",
        Attributes={
            "RawMessageDelivery": "true",
            "FilterPolicy": f'{{"agent": ["{here.agent}"]}}',
        },
    )
    return here
