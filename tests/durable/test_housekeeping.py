"""Housekeeping and dead letters: no task stays on its way for ever, every failure has a reason."""

from secrets import randbits

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.lifecycle.sweep import PUBLISHES_LIMIT
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.workers.runtime.acquire import acquire
from sqswarm.workers.runtime.job import job_of


@agent(timeout=20, max_attempts=2)
async def standard(n: int) -> int:
    if n < 0:
        raise KeyError(n)
    return n


@agent(timeout=20, max_attempts=2, durability="durable")
async def solid(n: int) -> int:
    return n


@agent(timeout=20, durability="lean")
async def lean(n: int) -> int:
    return n


@agent(timeout=20)
async def asking(*, ctx: TaskContext) -> int:
    return await ctx.ask("n", "N?", int)


AGENTS = (standard, solid, lean, asking)


@pytest.fixture
def memory():
    return MemorySwarm(*AGENTS)


def lose_messages(memory, one):
    memory.bus._queues[memory.queue(one)].messages.clear()


async def take_and_die(memory, one):
    """A worker acquires and is killed."""
    [delivery] = await memory.bus.receive(memory.queue(one), limit=1, wait_s=0)
    await acquire(
        memory.worker(one), [job_of(delivery, one.spec, token=f"token-{delivery.receipt}")]
    )
    memory.clock.advance(seconds=one.spec.visibility_s + 1)


async def sqs_gives_up(memory, one):
    """SQS moves the message to the dead-letter queue."""
    queue = memory.bus._queues[memory.queue(one)]
    for message in queue.messages:
        message.receives = 1000
        message.visible_ms = 0
    assert await memory.bus.receive(memory.queue(one), limit=10, wait_s=0) == []


async def reasons(memory, one):
    return [letter.attributes.get("reason") for letter in await memory.letters(one)]


async def test_a_recorded_task_that_was_never_published_is_published(memory):
    task_id = await memory.submit(solid, n=1)
    lose_messages(memory, solid)
    await memory.housekeep(minutes=2)
    assert (await memory.see(task_id)).result() == 1


async def test_a_task_nobody_ever_ends_fails_in_the_end_and_leaves_its_letter(memory):
    task_id = await memory.submit(solid, n=1)
    for _ in range(PUBLISHES_LIMIT + 1):
        lose_messages(memory, solid)
        memory.clock.advance(seconds=4 * 86_400)
        await memory.housekeeper.sweep()
    seen = await memory.see(task_id)
    assert (seen.status, seen.record.error["data"]["type"]) == (Status.FAILED, "WorkerLost")
    assert await reasons(memory, solid) == ["WorkerLost"]
    assert seen.record.due_at_ms is None


async def test_a_leased_task_is_left_alone_and_does_not_block_the_index(memory):
    await memory.submit(solid, n=1)
    [delivery] = await memory.bus.receive(memory.queue(solid), limit=1, wait_s=0)
    await acquire(
        memory.worker(solid), [job_of(delivery, solid.spec, token=f"token-{delivery.receipt}")]
    )
    memory.clock.advance(seconds=1)
    [key] = memory.kept
    item = dict(memory.store.items[key])
    memory.store.items[key] = {**item, "due_at": 1, "lease_until": memory.clock.now_ms() + 5000}
    swept = await memory.housekeeper.sweep()
    assert (swept.due, swept.checked) == (1, 1)
    assert (await memory.housekeeper.sweep()).due == 0


async def test_one_task_that_cannot_be_helped_does_not_keep_the_others(memory):
    task_id = await memory.submit(solid, n=1)
    await memory.submit(solid, n=2)
    lose_messages(memory, solid)
    memory.bus.crash_at_publish = 1
    await memory.housekeep(minutes=5)
    assert (await memory.see(task_id)).result() == 1


@pytest.mark.parametrize("one", [standard, solid])
async def test_a_worker_that_dies_every_time_ends_in_a_failure_with_reason(memory, one):
    task_id = await memory.submit(one, n=1)
    for _ in range(one.spec.max_attempts):
        await take_and_die(memory, one)
    await sqs_gives_up(memory, one)
    await memory.housekeep(minutes=2)
    seen = await memory.see(task_id)
    assert seen.status is Status.FAILED
    assert "lost 2 times" in seen.record.error["message"]
    assert await reasons(memory, one) == ["WorkerLost"]


async def test_a_task_with_attempts_left_is_taken_out_of_the_dead_letters_and_run(memory):
    task_id = await memory.submit(standard, n=1)
    await take_and_die(memory, standard)
    await sqs_gives_up(memory, standard)
    await memory.housekeep(minutes=2)
    assert (await memory.see(task_id)).result() == 1
    assert await reasons(memory, standard) == []


async def test_a_lean_task_that_left_no_record_is_recorded_failed(memory):
    task_id = await memory.submit(lean, n=1)
    await sqs_gives_up(memory, lean)
    await memory.housekeep()
    seen = await memory.see(task_id)
    assert seen.record.error["data"]["type"] == "WorkerLost"
    assert await reasons(memory, lean) == ["WorkerLost"]


async def test_a_task_that_nobody_could_acquire_begins_anew_and_is_given_up_in_the_end(memory):
    task_id = await memory.submit(standard, n=1)
    for _ in range(PUBLISHES_LIMIT + 1):
        await sqs_gives_up(memory, standard)
        await memory.dead_letter_sweeper.sweep()
        memory.clock.advance(seconds=7 * 24 * 3600)
        await memory.housekeeper.sweep()
    seen = await memory.see(task_id)
    assert seen.record.error["data"] == {"type": "WorkerLost", "attempt": 0}
    assert await reasons(memory, standard) == ["WorkerLost"]


async def test_a_letter_whose_task_is_leased_stays_until_the_lease_is_over(memory):
    task_id = await memory.submit(solid, n=1)
    [body] = memory.waiting(solid)
    [delivery] = await memory.bus.receive(memory.queue(solid), limit=1, wait_s=0)
    await acquire(
        memory.worker(solid), [job_of(delivery, solid.spec, token=f"token-{delivery.receipt}")]
    )
    await sqs_gives_up(memory, solid)
    dead = "sqswarm-test-solid-dlq"
    from sqswarm.backends.log import Log
    from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper

    keeper = DeadLetterSweeper(
        memory.housekeeper._connection, Log.to(memory.log), memory.housekeeper
    )
    assert await keeper.sweep() == {"left": 1}
    assert memory.bus.bodies(dead) == [body]
    await memory.housekeep(minutes=3)
    assert (await memory.see(task_id)).result() == 1
    assert memory.bus.bodies(dead) == []


@pytest.mark.parametrize("state", ["ended", "waits"])
async def test_a_letter_whose_task_needs_none_is_deleted(memory, state):
    one = solid if state == "ended" else asking
    task_id = await memory.submit(one, **({"n": 1} if state == "ended" else {}))
    [body] = memory.waiting(one)
    await memory.settle_down()
    before = await memory.record(task_id)
    await memory.copy(one, body)
    await sqs_gives_up(memory, one)
    await memory.housekeep()
    assert await memory.letters(one) == []
    assert await memory.record(task_id) == before


async def test_letters_with_a_reason_stay_and_are_seen_again(memory):
    await memory.submit(standard, n=-1)
    await memory.settle_down()
    memory.clock.advance(seconds=10)
    await memory.settle_down()
    for _ in range(3):
        await memory.housekeep()
    assert await reasons(memory, standard) == ["KeyError"]


async def test_what_cannot_be_parsed_gets_a_reason_and_stays(memory):
    poison = Outgoing(id="x", body="not json", principal="me", agent="solid")
    await memory.bus.send("sqswarm-test-solid-dlq", [poison])
    await memory.housekeep(minutes=2)
    assert await reasons(memory, solid) == ["not-json"]
    assert memory.bus.bodies("sqswarm-test-solid-dlq") == ["not json"]


async def test_a_message_for_a_finished_wait_of_an_unknown_task_is_not_lost(memory):
    message = Message(
        id=new_task_id(0, randbits), name="solid", arguments={"n": 4}, principal="me", v="x"
    )
    out = Outgoing(id="x", body=message.encode(), principal="me", agent="solid")
    await memory.bus.send(memory.queue(solid), [out])
    await memory.settle_down()
    assert (await memory.see(message.id)).result() == 4
