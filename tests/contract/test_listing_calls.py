"""What listings ask of DynamoDB, counted where the calls leave."""

from collections import Counter
from secrets import randbits

import pytest

from sqswarm import agent
from sqswarm.backends.aws.caller import BlockingCaller
from sqswarm.backends.aws.connect import backends, client_factory
from sqswarm.backends.runner import BlockingRunner, run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import Began, activity_write
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.ids import new_task_id, new_version
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Ending
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.task_filter import TaskFilter

pytestmark = pytest.mark.localstack

NOW = 1_800_000_000_000
TASKS = 3000
FAILED = 300


@agent(timeout=20)
async def counted(n: int) -> int:
    return n


@agent(timeout=20)
async def other(n: int) -> int:
    return n


class CountingCaller(BlockingCaller):
    """Counts calls by operation."""

    calls: Counter[str]

    async def call(self, service, operation, **request):
        self.calls[operation] += 1
        return await super().call(service, operation, **request)


@pytest.fixture(scope="module")
def connection(aws_settings):
    caller, runner = CountingCaller(client_factory(aws_settings)), BlockingRunner()
    caller.calls = Counter()
    ports = backends(aws_settings, caller, runner)
    made = Connection(
        names=ports.names,
        store=ports.store,
        bus=ports.bus,
        blobs=ports.blobs,
        runner=runner,
        catalogue=Catalogue.of([counted.spec, other.spec]),
        principal="me",
        ttl_s=60,
    )
    made.calls = caller.calls
    run_straight(fill(made))
    yield made
    runner.close()


async def fill(connection):
    """Make records as so many batches of ten would."""
    writes = []
    for n in range(TASKS):
        record = TaskRecord(
            task_id=new_task_id(NOW + n, randbits),
            agent="counted",
            principal="me" if n % 2 else "another",
            status=Status.WORKING,
            v=new_version(randbits),
            durability=Durability.STANDARD,
            created_ms=NOW + n,
            updated_ms=NOW + n,
            arguments=Payload(inline="{}"),
            tags={"tenant": f"t{n % 3}"},
        )
        ending = Ending(result=Payload(inline="{}"))
        if n % (TASKS // FAILED) < 1:
            ending = Ending(error=error_object("Late", "too late"))
        writes.append(protocol.settle_lean(record, ending, now_ms=NOW + n, expires_s=NOW))
        began = Began(task_id=record.task_id, principal=record.principal, at_ms=NOW + n)
        if n % 10 == 0:
            batch = []
        batch.append(began)
        if n % 10 == 9:
            told = activity_write("counted", batch, at_ms=NOW + n, random=f"{n}", expires_s=NOW)
            writes.append(told)
    await connection.store.write_many(writes)


def listed(connection, *, operator=True, limit=50, cursor=None, **wanted):
    connection.operator = operator
    connection.calls.clear()
    return run_straight(list_tasks(connection, TaskFilter(**wanted), limit=limit, cursor=cursor))


def test_failed_tasks_of_an_agent_are_one_query_and_one_read(connection):
    page = listed(connection, status=Status.FAILED, agent="counted")
    assert connection.calls == {"query": 1, "batch_get_item": 1}
    assert (len(page), page.total) == (50, FAILED)
    assert {view.record.error_type for view in page} == {"Late"}
    rest = listed(connection, status=Status.FAILED, agent="counted", cursor=page.cursor)
    assert connection.calls == {"query": 1, "batch_get_item": 1}
    assert not {view.id for view in page} & {view.id for view in rest}
    assert rest.total == FAILED


def test_the_newest_of_an_agent_are_one_query_and_one_read(connection):
    page = listed(connection, status=Status.COMPLETED, agent="counted")
    assert connection.calls["query"] == 1
    assert connection.calls["batch_get_item"] <= 3  # one in ten of what ran has failed
    created = [view.record.created_ms for view in page]
    assert created == sorted(created, reverse=True)
    assert max(created) >= NOW + TASKS - 2


def test_every_page_of_a_tenant_is_its_own_and_bounded(connection):
    found, cursor = [], None
    while True:
        page = listed(connection, operator=False, limit=200, cursor=cursor, where={"tenant": "t1"})
        assert connection.calls["query"] <= 4 * (2 * 3 + 4)
        assert connection.calls["batch_get_item"] <= 20
        assert "scan" not in connection.calls
        found += page
        cursor = page.cursor
        if cursor is None:
            break
    assert len(found) == len({view.id for view in found}) == TASKS // 6
    assert {view.record.principal for view in found} == {"me"}
