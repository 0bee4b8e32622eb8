"""The bus's contract: topics with filters, queues with visibility, reasons for dead letters."""

import uuid

from sqswarm.backends.ports.bus import Outgoing, OutgoingDeadLetter, batches


def outgoing(body="{}", **fields):
    return Outgoing(**{"id": uuid.uuid4().hex, "body": body, "principal": "me", **fields})


async def drained(bus, queue, expected):
    """Receive until `expected` messages are there (fan-out takes its time), and delete them."""
    found = []
    for _ in range(50):
        got = await bus.receive(queue, limit=10, wait_s=1)
        await bus.delete(queue, [d.receipt for d in got])
        found += got
        if len(found) >= expected:
            break
    return found


async def test_a_topic_reaches_the_queue_whose_filter_fits(bus, place):
    await bus.publish(
        place.topic,
        [
            outgoing("a", agent=place.agent),
            outgoing("b", agent="nobody"),
            outgoing("c", agent=place.agent),
        ],
    )
    got = await drained(bus, place.queue, 2)
    assert sorted(d.body for d in got) == ["a", "c"]
    assert all(d.attributes == {"agent": place.agent, "principal": "me"} for d in got)
    assert all(d.receive_count == 1 and d.sent_ms > 0 for d in got)


async def test_bodies_arrive_byte_for_byte(bus, place):
    bodies = ['{"b": 1,  "a":2}', '"text"', "ü€😀", "not json"]
    await bus.publish(place.topic, [outgoing(body, agent=place.agent) for body in bodies])
    got = await drained(bus, place.queue, len(bodies))
    assert sorted(d.body for d in got) == sorted(bodies)


async def test_more_than_a_batch_goes_out_whole(bus, place):
    bodies = [f"{n:03}" for n in range(47)]
    await bus.send(place.queue, [outgoing(body) for body in bodies])
    assert sorted(d.body for d in await drained(bus, place.queue, 47)) == bodies


async def test_large_messages_are_split_by_size(bus, place):
    bodies = [f"{n}" + "x" * 100_000 for n in range(5)]
    await bus.publish(place.topic, [outgoing(body, agent=place.agent) for body in bodies])
    got = await drained(bus, place.queue, 5)
    assert sorted(d.body[0] for d in got) == list("01234")


async def test_a_received_message_is_hidden_until_it_is_shown_again(bus, place):
    await bus.send(place.queue, [outgoing("again")])
    [first] = await bus.receive(place.queue, limit=10, wait_s=2)
    assert await bus.receive(place.queue, limit=10, wait_s=0) == []
    await bus.hide(place.queue, first.receipt, seconds=0)
    [second] = await drained(bus, place.queue, 1)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)


async def test_what_was_received_is_shown_again_all_at_once_and_counted(bus, place):
    bodies = [f"{n:02}" for n in range(12)]
    await bus.send(place.queue, [outgoing(body) for body in bodies])
    await bus.send(place.queue, [outgoing("later")], delay_s=900)
    counted = await bus.depth(place.queue)
    assert (counted.waiting, counted.in_flight, counted.delayed) == (12, 0, 1)
    held = []
    while len(held) < 12:
        held += await bus.receive(place.queue, limit=10, wait_s=1)
    counted = await bus.depth(place.queue)
    assert (counted.waiting, counted.in_flight, counted.total) == (0, 12, 13)
    await bus.show_again(place.queue, [d.receipt for d in held])
    assert sorted(d.body for d in await drained(bus, place.queue, 12)) == bodies
    await bus.show_again(place.queue, [d.receipt for d in held])  # late, and no error


async def test_hiding_or_deleting_what_is_gone_is_no_error(bus, place):
    await bus.send(place.queue, [outgoing()])
    [gone] = await drained(bus, place.queue, 1)
    await bus.hide(place.queue, gone.receipt, seconds=5)
    await bus.delete(place.queue, [gone.receipt])


async def test_a_dead_letter_says_why(bus, place):
    letter = OutgoingDeadLetter(
        body="{]",
        reason="not-json",
        detail="line 1\x00\udcff…",
        task_id="t",
        failed_at="2026-11-21T00:00:00Z",
        attempts=3,
    )
    await bus.dead_letter(place.queue, letter, group=None)
    [got] = await drained(bus, place.queue, 1)
    assert got.body == "{]"
    assert got.attributes["reason"] == "not-json"
    assert got.attributes["detail"].startswith("line 1?")
    assert got.attributes["attempts"] == "3"


def test_batches_hold_ten_messages_and_a_quarter_megabyte():
    small = [outgoing() for _ in range(25)]
    assert [len(b) for b in batches(small)] == [10, 10, 5]
    large = [outgoing("x" * 100_000) for _ in range(5)]
    assert [len(b) for b in batches(large)] == [2, 2, 1]
    assert batches([]) == []


async def test_a_standard_queue_gets_a_message_group_per_principal(bus, place, request):
    long = "arn:aws:iam::000000000000:user/" + "x" * 200
    await bus.publish(place.topic, [outgoing("a", agent=place.agent)])
    await bus.send(place.queue, [outgoing("b", agent=place.agent)])
    await bus.send(place.queue, [outgoing("c", agent=place.agent, principal=long)])
    got = {d.body: d.group for d in await drained(bus, place.queue, 3)}
    assert got["b"] == "me"
    # ministack takes a standard topic's group and forgets it on the way to the queue.
    assert got["a"] == "me" or request.config.getoption("--emulator") == "ministack"
    assert got["c"]


async def test_a_queue_tells_how_much_it_holds(bus, place):
    await bus.send(place.queue, [outgoing("a"), outgoing("b"), outgoing("c")])
    await bus.send(place.queue, [outgoing("later")], delay_s=600)
    [taken] = await bus.receive(place.queue, limit=1, wait_s=1)
    depth = await bus.depth(place.queue)
    assert (depth.waiting, depth.in_flight, depth.delayed, depth.total) == (2, 1, 1, 4)
    await bus.delete(place.queue, [taken.receipt])
    assert (await bus.depth(place.queue)).total == 3


async def test_only_a_queue_with_messages_has_an_oldest_one(bus, place):
    assert await bus.oldest_s([place.queue]) == {}
    await bus.send(place.queue, [outgoing("a")])
    age = (await bus.oldest_s([place.queue])).get(place.queue)
    assert age is None or 0 <= age < 600  # the emulator counts once a minute
