"""The runtime over memory twins: duplicates, poison, retries, dead letters, late writers."""

import asyncio
from dataclasses import replace
from secrets import randbits

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, Retry, TaskContext, agent
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.ports.store import Index
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.publish import publish
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.activity import Began, Ended, entries_of
from sqswarm.schemas.errors import (
    IdempotencyConflict,
    InvalidArguments,
    TaskFailed,
    TaskNotFound,
    Unreachable,
)
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.writes import Absent, Applied, Key, Set, Write, applied
from sqswarm.workers.runtime.activity import write_with_activity
from sqswarm.workers.runtime.batch import Runtime

RUNS: list[tuple[str, int]] = []


@agent(max_attempts=3, timeout=5)
async def echo(text: str, *, ctx: TaskContext) -> str:
    RUNS.append((text, ctx.attempt))
    return text


@agent(max_attempts=3, timeout=5, topics=["words"])
async def moody(text: str, *, ctx: TaskContext) -> str:
    RUNS.append((text, ctx.attempt))
    match text:
        case "raises":
            raise KeyError(text)
        case "fails":
            raise Fail("never", type="Refused")
        case "later":
            raise Retry("busy", after=7)
        case "lies":
            return 3  # type: ignore[return-value]
        case "hangs":
            await asyncio.sleep(60)
    return text


@agent(durability="durable", timeout=5, topics=["words"])
async def solid(text: str) -> str:
    return text.upper()


@agent(durability="lean", timeout=5, max_attempts=2)
async def cheap(text: str) -> str:
    RUNS.append((text, 0))
    if text == "raises":
        raise KeyError(text)
    return text


@agent(timeout=5, ordered=True)
async def orderly(text: str) -> str:
    RUNS.append((text, 0))
    if text.startswith("bad"):
        raise KeyError(text)
    return text


AGENTS = [echo, moody, solid, cheap, orderly]


class WordHouse(MemorySwarm):
    """A house whose agents each take one text."""

    async def submit(self, one, *texts, **options):
        return [await super(WordHouse, self).submit(one, options, text=text) for text in texts]


@pytest.fixture
def memory():
    RUNS.clear()
    return WordHouse(*AGENTS)


async def test_a_task_runs_once_and_its_result_is_recorded(memory):
    [task_id] = await memory.submit(echo, "ü")
    result = await memory.work(echo)
    seen = await memory.see(task_id)
    assert (seen.status, seen.result()) == (Status.COMPLETED, "ü")
    assert RUNS == [("ü", 1)]
    assert result.keep == []
    assert memory.waiting(echo) == []


@pytest.mark.parametrize(
    ("text", "event", "says"),
    [
        pytest.param("fails", "agent.failed", "never", id="fail"),
        pytest.param("lies", "agent.failed", "InvalidReturn", id="bad-return"),
        pytest.param("raises", "agent.raised", "KeyError", id="raise"),
    ],
)
async def test_how_an_attempt_failed_stands_in_the_log(memory, text, event, says):
    [task_id] = await memory.submit(moody, text)
    await memory.work(moody)
    [line] = [line for line in memory.log.getvalue().splitlines() if event in line]
    assert task_id in line
    assert says in line


async def test_mcp_itself_accepts_the_result(memory):
    from mcp.types import CallToolResult

    [task_id] = await memory.submit(echo, "ü")
    await memory.work(echo)
    shown = (await memory.see(task_id)).to_json()
    result = CallToolResult.model_validate(shown["result"])
    assert result.structured_content == {"result": "ü"}


@pytest.mark.parametrize("one", [echo, solid], ids=["standard", "durable"])
async def test_a_duplicate_delivery_after_the_end_runs_nothing(memory, one):
    [task_id] = await memory.submit(one, "a")
    [body] = memory.waiting(one)
    await memory.work(one)
    before = (await memory.see(task_id)).record
    await memory.bus.send(memory.queue(one), [Outgoing(id="x", body=body, principal="me")])
    await memory.work(one)
    assert (await memory.see(task_id)).record == before
    assert memory.waiting(one) == []
    assert len(RUNS) <= 1


async def test_two_copies_in_one_batch_run_once(memory):
    await memory.submit(echo, "a")
    [body] = memory.waiting(echo)
    await memory.bus.send(memory.queue(echo), [Outgoing(id="x", body=body, principal="me")])
    result = await memory.work(echo)
    assert RUNS == [("a", 1)]
    assert result.keep == []
    assert memory.waiting(echo) == []


async def test_a_copy_that_comes_while_the_task_runs_is_left_until_the_lease_ends(memory):
    started, go_on = asyncio.Event(), asyncio.Event()

    @agent(name="echo", timeout=5)
    async def slow(text: str) -> str:
        started.set()
        await go_on.wait()
        return text

    [task_id] = await memory.submit(echo, "a")
    [body] = memory.waiting(echo)
    deliveries = await memory.bus.receive(memory.queue(echo), limit=1, wait_s=0)
    first = asyncio.create_task(Runtime(memory.worker(slow)).handle(deliveries))
    await started.wait()
    await memory.bus.send(memory.queue(echo), [Outgoing(id="x", body=body, principal="me")])
    second = await memory.work(echo)
    assert RUNS == []
    assert len(second.keep) == 1
    assert await memory.bus.receive(memory.queue(echo), limit=10, wait_s=0) == []
    go_on.set()
    await first
    memory.clock.advance(seconds=slow.spec.lease_s + 1)
    await memory.work(echo)
    assert RUNS == []
    assert (await memory.see(task_id)).result() == "a"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param("not json", "not-json", id="not-json"),
        pytest.param('{"hello": 1}', "wrong-shape", id="wrong-shape"),
        pytest.param(
            Message(
                id=new_task_id(0, randbits), name="nobody", arguments={}, principal="me"
            ).encode(),
            "unknown-agent",
            id="unknown-agent",
        ),
        pytest.param(
            Message(
                id=new_task_id(0, randbits), name="t", topic="t", arguments={}, principal="me"
            ).encode(),
            "unknown-topic",
            id="unknown-topic",
        ),
    ],
)
async def test_poison_goes_to_the_dead_letters_with_its_reason_and_blocks_nothing(
    memory, body, reason
):
    await memory.bus.send(memory.queue(echo), [Outgoing(id="x", body=body, principal="me")])
    [task_id] = await memory.submit(echo, "a")
    await memory.work(echo)
    [letter] = await memory.letters(echo)
    assert (letter.body, letter.attributes["reason"]) == (body, reason)
    assert letter.attributes["detail"]
    assert (await memory.see(task_id)).status is Status.COMPLETED
    assert memory.waiting(echo) == []


async def test_one_failing_task_of_ten_does_not_repeat_the_others(memory):
    texts = [*(f"t{n}" for n in range(9)), "raises"]
    ids = await memory.submit(moody, *texts)
    result = await memory.work(moody)
    assert len(result.keep) == 1
    memory.clock.advance(seconds=3)
    await memory.work(moody)
    assert sorted(RUNS) == sorted([*((t, 1) for t in texts), ("raises", 2)])
    statuses = [(await memory.see(task_id)).status for task_id in ids]
    assert statuses == [Status.COMPLETED] * 9 + [Status.WORKING]


async def test_a_settle_that_fails_costs_no_neighbour_its_retry(memory):
    await memory.submit(moody, "fine", "raises")
    memory.store.crash_before = "settle"
    assert len((await memory.work(moody)).keep) == 2
    memory.clock.advance(seconds=3)  # the backoff is over, and no lease would be
    await memory.work(moody)
    assert ("raises", 2) in RUNS


async def test_a_table_out_of_reach_for_minutes_uses_up_no_receives(memory):
    [task_id] = await memory.submit(echo, "a")
    memory.store.dead = True
    for _ in range(12 * 60):  # longer than ten receives last at the queue's own visibility
        await memory.work(echo)
        memory.clock.advance(seconds=1)
    memory.store.dead = False
    for _ in range(5 * 60):
        await memory.work(echo)
        memory.clock.advance(seconds=1)
    seen = await memory.see(task_id)
    assert (seen.result(), seen.record.attempt) == ("a", 1)


@pytest.mark.parametrize("one", [echo, solid], ids=["standard", "durable"])
async def test_a_table_out_of_reach_for_hours_costs_no_attempt(memory, one):
    [task_id] = await memory.submit(one, "a")
    memory.store.dead = True
    for _ in range(8 * 60):
        await memory.work(one)
        memory.clock.advance(seconds=60)
    assert memory.waiting(one) == []  # SQS has given it up
    memory.store.dead = False
    await memory.housekeep(minutes=3)
    seen = await memory.see(task_id)
    assert (seen.result().lower(), seen.record.attempt) == ("a", 1)
    assert await memory.letters(one) == []


async def test_an_agent_that_raises_is_retried_with_growing_delays_then_recorded_failed(memory):
    [task_id] = await memory.submit(moody, "raises")
    waits = []
    for _ in range(2):
        await memory.work(moody)
        waited = 0
        while True:
            memory.clock.advance(seconds=1)
            waited += 1
            if (await memory.work(moody)).keep or not memory.waiting(moody):
                break
        waits.append(waited)
        if not memory.waiting(moody):
            break
    seen = await memory.see(task_id)
    assert seen.status is Status.FAILED
    assert seen.record.error == {
        "code": -32000,
        "message": "'raises'",
        "data": {"type": "KeyError", "attempt": 3},
    }
    assert [attempt for _, attempt in RUNS] == [1, 2, 3]
    [letter] = await memory.letters(moody)
    assert (letter.attributes["reason"], letter.attributes["task_id"]) == ("KeyError", task_id)
    with pytest.raises(TaskFailed, match="KeyError: 'raises'"):
        seen.result()


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        pytest.param("fails", "Refused", id="fail-is-final"),
        pytest.param("lies", "InvalidReturn", id="a-bad-return-value-is-final"),
    ],
)
async def test_what_no_attempt_can_mend_fails_at_once(memory, text, error_type):
    [task_id] = await memory.submit(moody, text)
    await memory.work(moody)
    seen = await memory.see(task_id)
    assert (seen.status, seen.record.error["data"]["type"]) == (Status.FAILED, error_type)
    assert [(text, 1)] == RUNS
    assert len(await memory.letters(moody)) == 1


async def test_arguments_that_went_around_the_dispatcher_fail_the_task(memory):
    message = Message(id=new_task_id(0, randbits), name="echo", arguments={"no": 1}, principal="me")
    await memory.bus.send(
        memory.queue(echo), [Outgoing(id="x", body=message.encode(), principal="me")]
    )
    await memory.work(echo)
    error = (await memory.see(message.id)).record.error
    assert error["data"]["type"] == "InvalidArguments"
    assert RUNS == []


async def test_an_agent_may_name_when_to_come_back(memory):
    await memory.submit(moody, "later")
    await memory.work(moody)
    memory.clock.advance(seconds=6)
    assert await memory.bus.receive(memory.queue(moody), limit=1, wait_s=0) == []
    memory.clock.advance(seconds=1)
    assert len(await memory.bus.receive(memory.queue(moody), limit=1, wait_s=0)) == 1


async def test_a_hanging_agent_is_stopped_and_tried_again(memory):
    @agent(name="moody", timeout=1)
    async def hangs(text: str) -> str:
        await asyncio.sleep(60)
        return text

    [task_id] = await memory.submit(moody, "hangs")
    deliveries = await memory.bus.receive(memory.queue(moody), limit=1, wait_s=0)
    result = await Runtime(memory.worker(hangs)).handle(deliveries)
    assert len(result.keep) == 1
    assert not result.hung
    assert "AgentTimedOut" in (await memory.see(task_id)).record.status_message


async def test_a_hanging_plain_function_is_reported(memory):
    import time

    @agent(name="moody", timeout=1)
    def hangs(text: str) -> str:
        time.sleep(1.5)
        return text

    await memory.submit(moody, "hangs")
    deliveries = await memory.bus.receive(memory.queue(moody), limit=1, wait_s=0)
    result = await Runtime(memory.worker(hangs)).handle(deliveries)
    assert result.hung


async def test_a_worker_that_dies_every_time_ends_the_task_with_the_reason(memory):
    [task_id] = await memory.submit(echo, "a")
    for _ in range(3):
        [delivery] = await memory.bus.receive(memory.queue(echo), limit=1, wait_s=0)
        from sqswarm.workers.runtime.acquire import acquire
        from sqswarm.workers.runtime.job import job_of

        await acquire(
            memory.worker(echo), [job_of(delivery, echo.spec, token=f"token-{delivery.receipt}")]
        )
        memory.clock.advance(seconds=echo.spec.visibility_s)
    await memory.work(echo)
    error = (await memory.see(task_id)).record.error
    assert (error["data"]["type"], error["message"]) == (
        "WorkerLost",
        "the worker was lost 3 times",
    )
    assert RUNS == []
    assert len(await memory.letters(echo)) == 1


async def test_a_late_workers_result_is_dropped(memory):
    started, go_on = asyncio.Event(), asyncio.Event()

    @agent(name="echo", timeout=5)
    async def zombie(text: str) -> str:
        started.set()
        await go_on.wait()
        return "zombie"

    [task_id] = await memory.submit(echo, "a")
    deliveries = await memory.bus.receive(memory.queue(echo), limit=1, wait_s=0)
    late = asyncio.create_task(Runtime(memory.worker(zombie)).handle(deliveries))
    await started.wait()
    memory.clock.advance(seconds=echo.spec.visibility_s)
    await memory.work(echo)
    go_on.set()
    await late
    assert (await memory.see(task_id)).result() == "a"
    assert "settle.refused" in memory.log.getvalue()


async def test_cancel_wins_before_a_worker_saw_the_task(memory):
    [task_id] = await memory.submit(echo, "a")
    assert await cancel(memory.connection, task_id, agent="echo") is Status.CANCELLED
    await memory.work(echo)
    assert RUNS == []
    assert (await memory.see(task_id)).status is Status.CANCELLED
    assert memory.waiting(echo) == []


async def test_cancel_after_the_end_tells_how_it_ended(memory):
    [task_id] = await memory.submit(echo, "a")
    await memory.work(echo)
    assert await cancel(memory.connection, task_id) is Status.COMPLETED


async def test_lean_tasks_write_once_and_retry_by_receives(memory):
    [good, bad] = await memory.submit(cheap, "a", "raises")
    await memory.work(cheap)
    assert (await memory.see(good)).result() == "a"
    with pytest.raises(TaskNotFound):
        await memory.see(bad)
    memory.clock.advance(seconds=3)
    await memory.work(cheap)
    assert (await memory.see(bad)).status is Status.FAILED


async def test_a_durable_task_resolves_before_any_worker_saw_it(memory):
    [task_id] = await memory.submit(solid, "a")
    assert (await memory.see(task_id)).status is Status.WORKING
    await memory.work(solid)
    record = (await memory.see(task_id)).record
    assert (record.status, record.due_at_ms) == (Status.COMPLETED, None)


async def test_an_idempotency_key_makes_one_task_of_two_submits(memory):
    [first] = await memory.submit(echo, "a", idempotency_key="k")
    [second] = await memory.submit(echo, "a", idempotency_key="k")
    assert first == second
    await memory.work(echo)
    await memory.work(echo)
    assert RUNS == [("a", 1)]
    with pytest.raises(IdempotencyConflict):
        await memory.submit(echo, "b", idempotency_key="k")


async def test_an_event_makes_one_task_for_each_subscribed_agent(memory):
    [tasks] = await publish(memory.connection, "words", [{"text": "a"}])
    assert [t.agent for t in tasks] == ["moody", "solid"]
    await memory.work(moody)
    await memory.work(solid)
    results = [(await memory.see(t.task_id)).result() for t in tasks]
    assert results == ["a", "A"]


async def test_large_arguments_and_results_go_by_claim_check(memory):
    text = "ü" * 100_000
    [task_id] = await memory.submit(echo, text)
    assert len(memory.waiting(echo)[0]) < 1000
    await memory.work(echo)
    seen = await memory.see(task_id)
    assert seen.record.arguments.ref
    assert seen.record.result.ref
    assert seen.result() == text


async def test_bad_arguments_publish_nothing(memory):
    with pytest.raises(InvalidArguments):
        await submit(
            memory.connection,
            "echo",
            [Request(arguments={"text": "a"}), Request(arguments={"text": 1})],
        )
    assert memory.waiting(echo) == []


async def test_another_principals_task_is_like_an_unknown_one(memory):
    [task_id] = await memory.submit(echo, "a")
    await memory.work(echo)
    memory.connection = replace(memory.connection, principal="somebody else")
    with pytest.raises(TaskNotFound):
        await memory.see(task_id)
    with pytest.raises(TaskNotFound):
        await cancel(memory.connection, task_id)
    memory.connection = replace(memory.connection, operator=True)
    assert (await memory.see(task_id)).status is Status.COMPLETED


async def test_those_that_fail_before_it_cost_an_ordered_task_none_of_its_attempts(memory):
    texts = [f"bad{n}" for n in range(8)]
    bad = await memory.submit(orderly, *texts, ordering_key="x")
    [good] = await memory.submit(orderly, "good", ordering_key="x")
    for _ in range(40):
        await memory.housekeep()
    for task_id in bad:
        error = (await memory.see(task_id)).record.error
        assert error["data"] == {"type": "KeyError", "attempt": orderly.spec.max_attempts}
    assert (await memory.see(good)).result() == "good"


async def test_a_failed_message_holds_back_its_own_key_only(memory):
    await memory.submit(orderly, "bad", ordering_key="x")
    await memory.submit(orderly, "behind", ordering_key="x")
    await memory.submit(orderly, "other", ordering_key="y")
    result = await memory.work(orderly)
    assert {text for text, _ in RUNS} == {"bad", "other"}
    assert len(result.keep) == 2


@pytest.mark.parametrize(
    ("one", "writes"), [(cheap, 1), (echo, 2), (solid, 3)], ids=["lean", "standard", "durable"]
)
async def test_a_task_costs_as_many_writes_as_its_mode_says(memory, one, writes):
    counted = []
    plain = memory.store.write
    memory.store.write = lambda w: counted.append(w) or plain(w)
    await memory.submit(one, *"abcdefghij")
    await memory.work(one)
    told = [w for w in counted if w.key.pk == f"activity#{one.name}"]
    assert len(counted) - len(told) == 10 * writes
    assert sum(map(units_of, told)) <= 0.25 * 10


def units_of(write):
    """Return the write units of an insert: one a KB begun."""
    item = applied(write, None)
    size = sum(len(name.encode()) + len(str(value).encode()) for name, value in item.items())
    return -(-size // 1024)


@pytest.mark.parametrize("one", [cheap, echo, solid], ids=["lean", "standard", "durable"])
@pytest.mark.parametrize("tasks", [1, 2, 10])
async def test_what_tells_of_a_batch_adds_no_call(memory, one, tasks):
    calls = []
    plain = memory.store.write_each
    memory.store.write_each = lambda writes: calls.append(writes) or plain(writes)
    await memory.submit(one, *"abcdefghij"[:tasks])
    calls.clear()
    await memory.work(one)
    assert len(calls) == (1 if one is cheap else 2)
    for call in calls:
        assert [w.key.sk == "task" for w in call] == [False] + [True] * tasks


async def test_a_batch_that_is_settled_bit_by_bit_is_told_of_in_one_item(memory):
    """Nobody's result waits for its batch; what is told of the ends waits for the last."""
    worker, entries = memory.worker(echo), []
    for n in range(4):
        write = Write(key=Key(pk=f"test#{n}", sk="x"), when=(Absent(),), changes=(Set("n", 1),))
        entries.append(Began(task_id=new_task_id(n, randbits), principal="m", at_ms=n))
        told = await write_with_activity(worker, [write], entries[-1:], last=lambda n=n: n == 3)
        [outcome] = told
        assert isinstance(outcome, Applied)
    [item] = (await memory.store.newest(Index.TABLE, "activity#echo", limit=9)).items
    assert entries_of(item) == entries


async def test_what_could_not_be_told_is_told_with_the_next_batch(memory):
    plain = memory.store.write

    async def write(one):
        if one.key.pk.startswith("activity#"):
            raise Unreachable("throttled")
        return await plain(one)

    memory.store.write = write
    [first] = await memory.submit(echo, "a")
    await memory.work(echo)
    assert (await memory.see(first)).status is Status.COMPLETED
    memory.store.write = plain
    [second] = await memory.submit(echo, "b")
    await memory.work(echo)
    items = (await memory.store.newest(Index.TABLE, "activity#echo", limit=9)).items
    assert {entry.task_id for item in items for entry in entries_of(item)} == {first, second}


async def test_a_batch_that_runs_in_order_is_told_of_once_a_turn(memory):
    await memory.submit(orderly, *"abcd", ordering_key="x")
    await memory.work(orderly)
    items = (await memory.store.newest(Index.TABLE, "activity#orderly", limit=20)).items
    assert len(items) == 4 + 1
    ended = [entry for item in items for entry in entries_of(item) if isinstance(entry, Ended)]
    assert len({entry.task_id for entry in ended}) == 4
