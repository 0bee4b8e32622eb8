"""Stats: what `swarm.stats()` tells is what the records, the queues and the ledger hold."""

import json
from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, Retry, TaskContext, agent
from sqswarm.dispatcher import stats as module
from sqswarm.dispatcher.async_client import AsyncSwarm
from sqswarm.dispatcher.stats import ALL, stats
from sqswarm.schemas.errors import UnknownAgent
from sqswarm.schemas.ledger import LedgerEntry, day_of
from sqswarm.schemas.pricing import Tokens
from sqswarm.schemas.protocol.ledger import record_call
from sqswarm.schemas.stats import Quantiles

HOUR_S = 3600


@agent(timeout=20, max_attempts=2)
async def greet(name: str, *, ctx: TaskContext) -> str:
    match name:
        case "flaky" if ctx.attempt == 1:
            raise Retry("once", after=1)
        case "never":
            raise Fail("no", type="Rude")
        case "raises":
            raise KeyError(name)
    return name


@agent(timeout=20, max_attempts=1, durability="durable")
async def doomed(name: str) -> str:
    return name


@agent(timeout=20, durability="lean")
async def cheap(name: str) -> str:
    return name


@pytest.fixture
def memory():
    return MemorySwarm(greet, doomed, cheap)


async def look(memory, *, since_s=HOUR_S, agents=None):
    keeper = memory.connection_for("keeper", operator=True)
    return await stats(keeper, since_s=since_s, agents=agents)


async def test_ends_attempts_and_failures_are_those_of_the_records(memory):
    for name in ("Ada", "Bob", "never", "flaky", "raises"):
        await memory.submit(greet, name=name)
    for _ in range(4):
        await memory.work(greet)
        memory.clock.advance(seconds=30)
    seen = (await look(memory)).agent("greet")
    assert (seen.started, seen.completed, seen.failed, seen.retried) == (7, 3, 2, 2)
    assert seen.failures == {"Rude": 1, "KeyError": 1}
    assert seen.per_s == pytest.approx(5 / HOUR_S)


async def test_an_attempt_of_a_lean_task_is_told_of_by_its_end(memory):
    for name in ("Ada", "Bob"):
        await memory.submit(cheap, name=name)
    await memory.work(cheap)
    seen = (await look(memory)).agent("cheap")
    assert (seen.started, seen.completed, seen.retried) == (2, 2, 0)


async def test_only_what_was_since_then_is_counted(memory):
    await memory.submit(greet, name="Ada")
    await memory.work(greet)
    memory.clock.advance(seconds=600)
    await memory.submit(greet, name="Bob")
    await memory.submit(greet, name="never")
    await memory.work(greet)
    memory.clock.advance(seconds=100)
    seen = (await look(memory, since_s=300)).agent("greet")
    assert (seen.completed, seen.failed, seen.seconds) == (1, 1, 300)
    assert (await look(memory, since_s=1000)).agent("greet").completed == 2


async def test_what_no_worker_has_failed_is_among_the_failures(memory):
    await memory.submit(doomed, name="Ada")
    memory.store.dies_after, memory.store.of_kind = 1, "acquire"
    await memory.work(doomed)  # dies with its lease
    memory.store.dead = False
    memory.store.dies_after = None
    await memory.housekeep(minutes=10)
    assert (await look(memory)).agent("doomed").failures == {"WorkerLost": 1}


async def test_waits_and_runs_are_those_of_ended_tasks(memory):
    await memory.submit(greet, name="Ada")
    memory.clock.advance(seconds=4)
    await memory.work(greet)
    seen = (await look(memory)).agent("greet")
    assert seen.wait == Quantiles(p50_ms=4000, p95_ms=4000)
    assert seen.run is not None


async def test_the_backlog_is_what_lies_in_the_queues(memory):
    for name in ("Ada", "never", "Bob"):
        await memory.submit(greet, name=name)
        memory.clock.advance(seconds=10)
    await memory.work(greet, limit=2)
    seen = await look(memory)
    backlog = seen.agent("greet").backlog
    assert (backlog.waiting, backlog.in_flight, backlog.delayed) == (1, 0, 0)
    assert (backlog.oldest_s, backlog.dead_letters) == (10, 1)
    assert seen.total.backlog == backlog
    await memory.work(greet)
    assert (await look(memory)).agent("greet").backlog.oldest_s is None


async def test_an_age_of_a_queue_that_is_empty_by_now_is_nobodys(memory, monkeypatch):
    async def old_news(queues):
        return dict.fromkeys(queues, 99)

    monkeypatch.setattr(memory.bus, "oldest_s", old_news)
    assert (await look(memory)).agent("greet").backlog.oldest_s is None
    await memory.submit(greet, name="Ada")
    assert (await look(memory)).agent("greet").backlog.oldest_s == 99


async def test_the_cost_is_the_ledgers_since_then(memory):
    now_ms = memory.clock.ms
    for ago_s, micro_usd in ((60, 5), (7200, 7), (80_000, 11)):
        at_ms = now_ms - 1000 * ago_s
        entry = LedgerEntry(
            day=day_of(at_ms), agent="greet", model="m", principal="me", task_id=f"t{ago_s}",
            call="c", tokens=Tokens(input=1, cache_read=2, output=4), micro_usd=micro_usd,
            at_ms=at_ms,
        )  # fmt: skip
        await memory.store.write(record_call(entry, expires_s=1))
    spent = (await look(memory)).agent("greet").spent
    assert (spent.calls, spent.tokens.prompt, spent.tokens.output, spent.micro_usd) == (1, 3, 4, 5)
    assert (await look(memory, since_s=86_400)).total.spent.micro_usd == 23


async def test_too_much_to_read_is_told_for_a_shorter_time(memory, monkeypatch):
    monkeypatch.setattr(module, "_A_PAGE", 2)
    monkeypatch.setattr(module, "_PAGES", 2)
    for _ in range(8):
        await memory.submit(greet, name="Ada")
        await memory.work(greet)
        memory.clock.advance(seconds=60)
    seen = await look(memory)
    one = seen.agent("greet")
    assert 0 < one.seconds < HOUR_S
    assert 0 < one.completed < 8
    assert one.per_s == pytest.approx(1 / 60, rel=0.5)
    assert seen.total.seconds == one.seconds


async def test_the_stage_is_the_sum_of_its_agents(memory):
    for one in (greet, doomed):
        await memory.submit(one, name="Ada")
        await memory.work(one)
    seen = await look(memory)
    assert (seen.total.agent, seen.total.completed, seen.total.started) == (ALL, 2, 2)
    assert json.loads(json.dumps(seen.to_json()))["total"]["completed"] == 2


async def test_one_agent_alone_is_asked_about(memory):
    seen = await look(memory, agents=["greet"])
    assert [one.agent for one in seen.agents] == ["greet"]
    with pytest.raises(KeyError):
        seen.agent("doomed")
    with pytest.raises(UnknownAgent):
        await look(memory, agents=["nobody"])


async def test_the_client_asks_for_an_agent_itself(memory):
    swarm = AsyncSwarm(memory.connection)
    assert (await swarm.stats(agent=greet)).agents[0].agent == "greet"


async def test_an_end_that_is_told_twice_is_counted_once(memory):
    """A worker that is slower than its lease tells of an end that another has recorded."""
    await memory.submit(greet, name="Ada")
    await memory.work(greet)
    here = {k: item for k, item in memory.store.items.items() if k.pk == "activity#greet"}
    assert here
    for key, item in here.items():
        again = replace(key, sk=f"{key.sk}x")
        memory.store.items[again] = {**item, "sk": again.sk}
    assert (await look(memory)).agent("greet").completed == 1


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([7], 7, 7), ([1, 2], 1, 2), (range(1, 101), 50, 95), ([3, 1, 2], 2, 3)],
)
def test_quantiles_are_values_that_were_measured(values, p50, p95):
    assert Quantiles.of(values) == Quantiles(p50_ms=p50, p95_ms=p95)


def test_of_nothing_there_are_no_quantiles():
    assert Quantiles.of([]) is None
