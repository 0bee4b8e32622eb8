"""Housekeeping and dead letters: no task stays on its way for ever, every failure has a reason."""

import pytest
from memory_swarm import House

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
def house():
    return House(*AGENTS)


def lose_messages(house, one):
    house.bus._queues[house.queue(one)].messages.clear()


async def take_and_die(house, one):
    """A worker acquires and is killed."""
    [delivery] = await house.bus.receive(house.queue(one), limit=1, wait_s=0)
    await acquire(house.station(one), [job_of(delivery, one.spec)])
    house.clock.advance(seconds=one.spec.visibility_s + 1)


async def sqs_gives_up(house, one):
    """SQS moves the message to the dead-letter queue."""
    queue = house.bus._queues[house.queue(one)]
    for message in queue.messages:
        message.receives = 1000
        message.visible_ms = 0
    assert await house.bus.receive(house.queue(one), limit=10, wait_s=0) == []


async def reasons(house, one):
    return [letter.attributes.get("reason") for letter in await house.letters(one)]


async def test_a_recorded_task_that_was_never_published_is_published(house):
    task_id = await house.submit(solid, n=1)
    lose_messages(house, solid)
    await house.keep_house(minutes=2)
    assert (await house.see(task_id)).result() == 1


async def test_a_task_nobody_ever_ends_fails_in_the_end_and_leaves_its_letter(house):
    task_id = await house.submit(solid, n=1)
    for _ in range(PUBLISHES_LIMIT + 1):
        lose_messages(house, solid)
        house.clock.advance(seconds=4 * 86_400)
        await house.housekeeper.sweep()
    seen = await house.see(task_id)
    assert (seen.status, seen.record.error["data"]["type"]) == (Status.FAILED, "WorkerLost")
    assert await reasons(house, solid) == ["WorkerLost"]
    assert seen.record.due_at_ms is None


async def test_a_leased_task_is_left_alone_and_does_not_block_the_index(house):
    await house.submit(solid, n=1)
    [delivery] = await house.bus.receive(house.queue(solid), limit=1, wait_s=0)
    await acquire(house.station(solid), [job_of(delivery, solid.spec)])
    house.clock.advance(seconds=1)
    [key] = house.store.items
    item = dict(house.store.items[key])
    house.store.items[key] = {**item, "due_at": 1, "lease_until": house.clock.now_ms() + 5000}
    swept = await house.housekeeper.sweep()
    assert (swept.due, swept.tended) == (1, 1)
    assert (await house.housekeeper.sweep()).due == 0


async def test_one_task_that_cannot_be_helped_does_not_keep_the_others(house):
    task_id = await house.submit(solid, n=1)
    await house.submit(solid, n=2)
    lose_messages(house, solid)
    house.bus.crash_at_publish = 1
    await house.keep_house(minutes=5)
    assert (await house.see(task_id)).result() == 1


@pytest.mark.parametrize("one", [standard, solid])
async def test_a_worker_that_dies_every_time_ends_in_a_failure_with_reason(house, one):
    task_id = await house.submit(one, n=1)
    for _ in range(one.spec.max_attempts):
        await take_and_die(house, one)
    await sqs_gives_up(house, one)
    await house.keep_house(minutes=2)
    seen = await house.see(task_id)
    assert seen.status is Status.FAILED
    assert "lost 2 times" in seen.record.error["message"]
    assert await reasons(house, one) == ["WorkerLost"]


async def test_a_task_with_attempts_left_is_taken_out_of_the_dead_letters_and_run(house):
    task_id = await house.submit(standard, n=1)
    await take_and_die(house, standard)
    await sqs_gives_up(house, standard)
    await house.keep_house(minutes=2)
    assert (await house.see(task_id)).result() == 1
    assert await reasons(house, standard) == []


@pytest.mark.parametrize("one", [standard, lean])
async def test_a_task_that_left_no_record_is_recorded_failed(house, one):
    task_id = await house.submit(one, n=1)
    await sqs_gives_up(house, one)
    await house.keep_house()
    seen = await house.see(task_id)
    assert seen.record.error["data"]["type"] == "WorkerLost"
    assert await reasons(house, one) == ["WorkerLost"]


async def test_a_letter_whose_task_is_leased_stays_until_the_lease_is_over(house):
    task_id = await house.submit(solid, n=1)
    [body] = house.waiting(solid)
    [delivery] = await house.bus.receive(house.queue(solid), limit=1, wait_s=0)
    await acquire(house.station(solid), [job_of(delivery, solid.spec)])
    await sqs_gives_up(house, solid)
    dead = "sqswarm-test-solid-dlq"
    from sqswarm.backends.log import Log
    from sqswarm.dispatcher.lifecycle.dead_letter_sweep import LetterKeeper

    keeper = LetterKeeper(house.housekeeper._desk, Log(stream=house.log), house.housekeeper)
    assert await keeper.look_through() == {"left": 1}
    assert house.bus.bodies(dead) == [body]
    await house.keep_house(minutes=3)
    assert (await house.see(task_id)).result() == 1
    assert house.bus.bodies(dead) == []


@pytest.mark.parametrize("state", ["ended", "waits"])
async def test_a_letter_whose_task_needs_none_is_deleted(house, state):
    one = solid if state == "ended" else asking
    task_id = await house.submit(one, **({"n": 1} if state == "ended" else {}))
    [body] = house.waiting(one)
    await house.settle_down()
    before = await house.record(task_id)
    await house.copy(one, body)
    await sqs_gives_up(house, one)
    await house.keep_house()
    assert await house.letters(one) == []
    assert await house.record(task_id) == before


async def test_letters_with_a_reason_stay_and_are_seen_again(house):
    await house.submit(standard, n=-1)
    await house.settle_down()
    house.clock.advance(seconds=10)
    await house.settle_down()
    for _ in range(3):
        await house.keep_house()
    assert await reasons(house, standard) == ["KeyError"]


async def test_what_cannot_be_parsed_gets_a_reason_and_stays(house):
    poison = Outgoing(id="x", body="not json", principal="me", agent="solid")
    await house.bus.send("sqswarm-test-solid-dlq", [poison])
    await house.keep_house(minutes=2)
    assert await reasons(house, solid) == ["not-json"]
    assert house.bus.bodies("sqswarm-test-solid-dlq") == ["not json"]


async def test_a_message_for_a_finished_wait_of_an_unknown_task_is_not_lost(house):
    message = Message(id=new_task_id(0), name="solid", arguments={"n": 4}, principal="me", v="x")
    out = Outgoing(id="x", body=message.encode(), principal="me", agent="solid")
    await house.bus.send(house.queue(solid), [out])
    await house.settle_down()
    assert (await house.see(message.id)).result() == 4
