"""What ends or gives back tasks goes in a batch: one write that cannot would part all of it."""

import pytest

from sqswarm.backends.aws.expressions import statement_of
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Ending, Lease
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord, task_key

LEASE = Lease(
    agent="a", task_id="t", v="mine", attempt=1, until_ms=5, durability=Durability.DURABLE
)
RECORD = TaskRecord(
    task_id="t", agent="a", principal="me", status=Status.WORKING, v="mine",
    durability=Durability.DURABLE, created_ms=1, updated_ms=1,
)  # fmt: skip
FAILED = Ending(error=error_object("KeyError", "x", attempt=1))
DONE = Ending(result=Payload(inline="3"))
KEY = task_key("a", "t")


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            protocol.settle(LEASE, ending, now_ms=2, expires_s=3, owes=owes), id=f"{name}-{owes}"
        )
        for name, ending in (("result", DONE), ("failure", FAILED))
        for owes in (False, True)
    ]
    + [
        pytest.param(protocol.cancel(RECORD, now_ms=2, expires_s=3), id="cancel"),
        pytest.param(protocol.clear_due(KEY, Status.CANCELLED), id="clear"),
    ],
)
def test_it_has_a_statement(write):
    statement = statement_of(write, "table")
    assert statement is not None
    told = statement["Statement"].partition(" WHERE ")[2]
    assert told.count("?") + told.count(" IS MISSING") == 2 + len(write.when)
