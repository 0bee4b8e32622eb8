"""Batches of a FIFO target go out one after another; others side by side."""

import asyncio

import pytest

from sqswarm.backends.aws.bus import AwsBus
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import AsyncRunner
from sqswarm.schemas.errors import PublishFailed
from sqswarm.schemas.naming import Names

NAMES = Names(stage="x", account="000000000000", region="us-east-1")
MESSAGES = [Outgoing(id=f"m{n:02}", body=str(n), principal="me", group="g") for n in range(25)]


class Service:
    """Counts how many requests it has at a time; refuses those that hold `refused`."""

    def __init__(self, refused=None):
        self.refused = refused
        self.busy = self.most = 0
        self.sent = []

    async def call(self, _service, _operation, **request):
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0)
        self.busy -= 1
        entries = request.get("PublishBatchRequestEntries") or request["Entries"]
        bodies = [entry.get("Message") or entry["MessageBody"] for entry in entries]
        if self.refused in bodies:
            failed = [{"Id": entry["Id"], "Code": "x", "SenderFault": True} for entry in entries]
            return {"Failed": failed}
        self.sent += bodies
        return {}


def bus(service):
    return AwsBus(service, AsyncRunner(), NAMES, None)


@pytest.mark.parametrize("way", ["publish", "send"])
async def test_the_order_of_a_fifo_target_is_kept_over_batches(way):
    service = Service()
    await getattr(bus(service), way)("jobs.fifo", MESSAGES)
    assert service.most == 1
    assert service.sent == [m.body for m in MESSAGES]


@pytest.mark.parametrize("way", ["publish", "send"])
async def test_batches_of_other_targets_go_side_by_side(way):
    service = Service()
    await getattr(bus(service), way)("jobs", MESSAGES)
    assert service.most == 3


async def test_what_stands_behind_a_refused_batch_is_not_sent_and_named_too():
    service = Service(refused="12")
    with pytest.raises(PublishFailed) as caught:
        await bus(service).publish("jobs.fifo", MESSAGES)
    assert service.sent == [str(n) for n in range(10)]
    assert caught.value.failed == [m.id for m in MESSAGES[10:]]
