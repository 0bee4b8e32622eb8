"""Listings: each task in its list, page by page, each principal's own, and none by a Scan."""

from base64 import b64decode
from collections import Counter

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task_filter import TaskFilter


@agent(timeout=20, durability="lean", max_attempts=1)
async def lean(n: int) -> int:
    return _result(n)


@agent(timeout=20, max_attempts=1)
async def standard(n: int) -> int:
    return _result(n)


@agent(timeout=20, durability="durable", max_attempts=1)
async def solid(n: int) -> int:
    return _result(n)


@agent(timeout=20)
async def asking(*, ctx: TaskContext) -> int:
    return await ctx.ask("n", "N?", int)


@agent(timeout=20)
async def sleeping(*, ctx: TaskContext) -> None:
    await ctx.sleep(86_400)


def _result(n):
    if n < 0:
        raise Fail(f"{n} is below 0")
    return n


class CountingReads:
    """Counts what a listing asks of a store."""

    def __init__(self, store):
        self._store = store
        self.asked = Counter()
        self.items = 0

    async def newest(self, *args, **options):
        self.asked["query"] += 1
        page = await self._store.newest(*args, **options)
        self.items += len(page.items)
        return page

    async def read_many(self, keys):
        if keys:
            self.asked["batch get"] += 1
        self.items += len(keys)
        return await self._store.read_many(keys)


@pytest.fixture
def memory():
    return MemorySwarm(lean, standard, solid, asking, sleeping)


def listing(memory, asks="me", *, operator=False, limit=50, cursor=None, **wanted):
    connection = memory.connection_for(asks, operator=operator)
    found = TaskFilter.of(now_ms=memory.clock.now_ms(), **wanted)
    return list_tasks(connection, found, limit=limit, cursor=cursor)


async def ids(memory, *args, **wanted):
    return [view.id for view in await listing(memory, *args, **wanted)]


async def pages(memory, **wanted):
    found, cursor = [], None
    while True:
        page = await listing(memory, cursor=cursor, **wanted)
        found.append([view.id for view in page])
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("one", [lean, standard, solid])
async def test_what_ran_is_listed_under_its_status(memory, one):
    done, failed = await memory.submit(one, n=1), await memory.submit(one, n=-1)
    await memory.settle_down()
    assert await ids(memory, status="completed") == [done]
    assert await ids(memory, status="failed") == [failed]
    assert {*await ids(memory)} == {done, failed}
    assert await ids(memory, status="working") == []


async def test_a_durable_task_is_listed_before_any_worker_has_had_it(memory):
    task_id = await memory.submit(solid, n=1)
    assert await ids(memory) == await ids(memory, status="working") == [task_id]
    await memory.settle_down()
    assert await ids(memory) == await ids(memory, status="completed") == [task_id]


async def test_a_question_is_listed_until_it_is_answered(memory):
    task_id = await memory.submit(asking)
    await memory.settle_down()
    assert await ids(memory, status="input_required") == await ids(memory) == [task_id]
    await answer(memory.connection, task_id, "n", 1)
    assert await ids(memory, status="input_required") == []
    assert await ids(memory, status="working") == [task_id]
    await memory.settle_down()
    assert await ids(memory, status="completed") == [task_id]


async def test_a_cancelled_task_is_listed_whether_or_not_it_ran(memory):
    ran, waiting = await memory.submit(asking), await memory.submit(solid, n=1)
    await memory.work(asking)
    for task_id in (ran, waiting):
        await cancel(memory.connection, task_id)
    assert {*await ids(memory, status="cancelled")} == {*await ids(memory)} == {ran, waiting}
    assert await ids(memory, status="input_required") == []


async def test_a_cancelled_task_that_left_only_a_tombstone_is_listed(memory):
    task_id = await memory.submit(standard, n=1)
    await cancel(memory.connection, task_id, agent="standard")
    assert await ids(memory, status="cancelled") == await ids(memory) == [task_id]


async def test_a_redriven_task_and_its_old_one_are_in_their_lists(memory):
    old = await memory.submit(standard, {"tags": {"tenant": "acme"}}, n=-1)
    await memory.settle_down()
    new = (await redrive(memory.connection, old)).task_id
    assert await ids(memory, status="working", where={"tenant": "acme"}) == [new]
    await memory.settle_down()
    assert {*await ids(memory, status="failed")} == {old, new}


async def test_what_sleeps_is_under_way(memory):
    task_id = await memory.submit(sleeping)
    await memory.settle_down()
    later = await memory.submit(solid, {"delay_s": 86_400}, n=1)
    assert {*await ids(memory, status="working")} == {*await ids(memory)} == {task_id, later}


async def test_a_task_that_housekeeping_failed_is_listed(memory):
    task_id = await memory.submit(solid, n=1)
    memory.store.crash_before = "settle"
    await memory.work(solid)
    await memory.housekeep(minutes=600)
    assert (await memory.see(task_id)).status is Status.FAILED
    assert await ids(memory, status="failed", error_type="WorkerLost") == [task_id]


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
@pytest.mark.parametrize("wanted", [{}, {"status": "completed"}, {"agent": "standard"}])
async def test_pages_have_each_task_once_the_newest_first(memory, limit, wanted):
    made = []
    for n in range(15):
        made.append(await memory.submit(standard, n=n))
        memory.clock.advance(seconds=1)
        if n % 4 == 3:
            await memory.settle_down()
    await memory.settle_down()
    found = await pages(memory, limit=limit, **wanted)
    assert all(len(page) <= limit for page in found)
    flat = [task_id for page in found for task_id in page]
    assert sorted(flat) == sorted(made)
    batch = {task_id: n // 4 for n, task_id in enumerate(made)}
    assert [batch[one] for one in flat] == sorted(batch.values(), reverse=True)


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_pages_of_failed_tasks_say_how_many_there_are(memory, limit):
    made = {await memory.submit(standard, n=-n) for n in range(1, 8)}
    await memory.settle_down()
    cursor, found = None, []
    for _ in range(-(-7 // limit)):
        page = await listing(memory, status="failed", agent="standard", limit=limit, cursor=cursor)
        assert page.total == 7
        found += [view.id for view in page]
        cursor = page.cursor
    assert cursor is None
    assert len(found) == 7
    assert {*found} == made


async def test_tenants_see_their_own_only_and_operators_everybody(memory):
    made = {}
    for principal in ("acme", "globex", "x" * 200):
        swarm = memory.connection
        memory.connection = memory.connection_for(principal)
        made[principal] = {await memory.submit(asking)}
        for one in (standard, solid):
            made[principal] |= {await memory.submit(one, n=1), await memory.submit(one, n=-1)}
        memory.connection = swarm
    for settled in (False, True):
        if settled:
            await memory.settle_down()
        for principal, own in made.items():
            seen = {*await ids(memory, principal)}
            assert seen <= own
            assert seen == own or not settled
            assert await ids(memory, "nobody") == []
            assert await ids(memory, "acme", principal="globex") == []
            as_operator = {*await ids(memory, "boss", operator=True, principal=principal)}
            assert as_operator == seen
    everybody = {*await ids(memory, "boss", operator=True)}
    assert everybody == set().union(*made.values())


async def test_a_page_that_filters_much_is_bounded_and_its_cursor_goes_on(memory):
    mine = await memory.submit(standard, n=0)
    await memory.settle_down()
    memory.connection.principal = "other"
    for n in range(600):
        memory.clock.advance(seconds=1)
        await memory.submit(standard, n=n)
        await memory.work(standard)
    counting = CountingReads(memory.store)
    found, cursor = [], None
    for turn in range(100):  # noqa: B007 - looked at below
        connection = memory.connection_for("me")
        connection.store = counting
        before = counting.items
        page = await list_tasks(
            connection,
            TaskFilter.of(now_ms=0, status="completed", agent="standard"),
            limit=50,
            cursor=cursor,
        )
        assert counting.items - before <= 4 * 200 + 1000
        found += page
        cursor = page.cursor
        if cursor is None:
            break
        assert page.looked_back_to
    assert [view.id for view in found] == [mine]
    assert 1 < turn < 99


async def test_since_and_until_bound_a_listing(memory):
    first = await memory.submit(standard, n=1)
    await memory.settle_down()
    memory.clock.advance(seconds=3600)
    second = await memory.submit(standard, n=-2)
    await memory.settle_down()
    memory.clock.advance(seconds=60)
    assert await ids(memory, since="30m") == [second]
    assert await ids(memory, until="30m") == [first]
    assert await ids(memory, status="failed", since="1s") == []
    assert await ids(memory, since="2h", until="1s") == [second, first]
    with pytest.raises(UsageError, match="is no time"):
        await listing(memory, since="yesterday")


@pytest.mark.parametrize("status", [None, "completed", "failed"])
@pytest.mark.parametrize("one", [lean, standard, solid])
async def test_tags_find_their_tasks(memory, one, status):
    made = {
        (tenant, n): await memory.submit(
            one, {"tags": {"tenant": tenant, "team": f"team {n}"}}, n=n
        )
        for tenant in ("acme", "globex")
        for n in (-1, 1)
    }
    await memory.settle_down()
    wanted = {"completed": [1], "failed": [-1]}.get(status, [-1, 1])
    found = {*await ids(memory, status=status, where={"tenant": "acme"})}
    assert found == {made["acme", n] for n in wanted}
    both = {"tenant": "acme", "team": "team 1"}
    assert await ids(memory, status=status, where=both) == (
        [made["acme", 1]] if 1 in wanted else []
    )
    view = await memory.see(made["acme", 1])
    assert view.to_json()["tags"] == {"team": "team 1", "tenant": "acme"}


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({f"k{n}": "v" for n in range(11)}, "are 11"),
        ({"k" * 65: "v"}, "key of 65 characters"),
        ({"k": "v" * 257}, "of 257 characters"),
        ({"k": 1}, "that is not text"),
        ({"": "v"}, "key of 0 characters"),
        ({"k": "a\nb"}, r"U\+000A"),
        (["k"], "not an object"),
    ],
)
async def test_tags_that_cannot_be_are_refused_before_anything_is_sent(memory, tags, why):
    with pytest.raises(InvalidArguments, match=why):
        await memory.submit(standard, {"tags": tags}, n=1)
    assert memory.waiting(standard) == []


async def test_a_repeat_with_other_tags_finds_the_first_task(memory):
    request = {"idempotency_key": "k"}
    first = await memory.submit(standard, {**request, "tags": {"a": "1"}}, n=1)
    assert await memory.submit(standard, {**request, "tags": {"a": "2"}}, n=1) == first
    await memory.settle_down()
    assert await memory.letters(standard) == []
    assert await ids(memory, status="completed", where={"a": "1"}) == [first]


async def test_children_have_no_tags_of_their_parents(memory):
    @agent(timeout=20)
    async def parent(*, ctx: TaskContext) -> int:
        return await ctx.call("standard", n=1)

    swarm = MemorySwarm(parent, standard)
    task_id = await swarm.submit(parent, {"tags": {"a": "1"}})
    await swarm.settle_down()
    assert await ids(swarm, where={"a": "1"}) == [task_id]
    assert len(await ids(swarm)) == 2


async def test_a_cursor_belongs_to_its_listing(memory):
    for n in range(3):
        await memory.submit(standard, n=n)
    await memory.settle_down()
    page = await listing(memory, limit=1)
    assert len(await listing(memory, cursor=page.cursor)) == 2
    for cursor in ("x", "AAAA", "é", page.cursor[:-4], page.cursor + "A"):
        with pytest.raises(UsageError, match="cursor"):
            await listing(memory, cursor=cursor)
    with pytest.raises(UsageError, match="cursor"):
        await listing(memory, status="completed", cursor=page.cursor)
    with pytest.raises(UsageError, match="cursor"):
        await listing(memory, "other", cursor=page.cursor)


async def test_a_cursor_tells_nobody_of_anothers_task(memory):
    mine = await memory.submit(standard, n=-1)
    await memory.settle_down()
    memory.connection.principal = "other"
    others = [await memory.submit(standard, n=-1) for _ in range(3)]
    await memory.settle_down()
    page = await listing(memory, status="failed", limit=1)
    assert [view.id for view in page] == [mine]
    page = await listing(memory, "other", status="failed", limit=1)
    told = b64decode(page.cursor + "==", altchars=b"-_").decode()
    assert not any(task_id in told for task_id in [mine, *others])
