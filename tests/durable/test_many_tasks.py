"""However many tasks are in the table, up to a million: a page of failed ones is two requests."""

from collections import Counter

import pytest
from memory_swarm import MemorySwarm

from sqswarm import agent
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import Ending
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.task_filter import TaskFilter

FAILED = 700
NOW = 1_800_000_000_000


@agent(timeout=20)
async def keywords(n: int) -> int:
    return n


class Asked(MemoryStore):
    """Counts every reading, and how many items it was of."""

    def __init__(self):
        super().__init__()
        self.asked = Counter()
        self.items_read = 0

    async def newest(self, *args, **options):
        self.asked["query"] += 1
        page = await super().newest(*args, **options)
        self.items_read += len(page.items)
        return page

    async def read_many(self, keys):
        self.asked["batch get"] += -(-len(keys) // 100)
        self.items_read += len(keys)
        return await super().read_many(keys)


def id_of(n):
    return f"{NOW + n:012x}"[:8] + f"-{(NOW + n) & 0xFFFF:04x}-7000-8000-{n:012x}"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(20_000, id="thousands"),
        pytest.param(1_000_000, id="a-million", marks=pytest.mark.proof),
    ],
)
def table(request):
    """Every record is there; those that did not fail share what they hold."""
    store = Asked()
    done = {"sk": "task", "status": "completed", "principal": "me"}
    for n in range(request.param):
        store.items[task_key("keywords", id_of(n))] = done
    return store


@pytest.fixture
async def memory(table):
    swarm = MemorySwarm(keywords)
    for n in range(FAILED):
        record = TaskRecord(
            task_id=id_of(n),
            agent="keywords",
            principal="me" if n % 7 else "other",
            status=Status.WORKING,
            v="v",
            durability=Durability.STANDARD,
            created_ms=NOW,
            updated_ms=NOW,
        )
        kind = "Late" if n % 2 else "Early"
        table.items.pop(record.key, None)
        await table.write(
            protocol.settle_lean(
                record, Ending(error=error_object(kind, "no")), now_ms=NOW + n, expires_s=1
            )
        )
    swarm.store = table
    table.asked.clear()
    table.items_read = 0
    return swarm


@pytest.mark.parametrize(
    ("wanted", "operator", "total"),
    [
        ({}, True, FAILED),
        ({}, False, FAILED - FAILED // 7),
        ({"error_type": "Late"}, True, FAILED // 2),
    ],
)
async def test_a_page_of_failed_tasks_is_one_query_and_one_read(memory, wanted, operator, total):
    connection = memory.connection_for("me", operator=operator)
    found = TaskFilter(status=Status.FAILED, agent="keywords", **wanted)
    page = await list_tasks(connection, found, limit=50)
    assert [view.status for view in page] == [Status.FAILED] * 50
    assert page.total == total
    assert memory.store.asked == {"query": 1, "batch get": 1}
    assert memory.store.items_read <= 1050
    assert page[0].id > page[-1].id
