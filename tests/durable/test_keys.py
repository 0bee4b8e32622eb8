"""Keys: an agent's items lie under its name, and who knows only a task's id finds it too."""

from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm

from sqswarm import AsyncSwarm, TaskContext, agent
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.lifecycle.cancel import MESSAGE_LIFE_S, cancel
from sqswarm.dispatcher.lifecycle.children import count_in_parent
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas import protocol
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import NotDeployed, TaskNotFound
from sqswarm.schemas.ids import derive_task_id, new_task_id
from sqswarm.schemas.journal import child_id, plan_entry
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.ledger import LedgerEntry
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import event_payload_key, payload_key
from sqswarm.schemas.pricing import Tokens
from sqswarm.schemas.task import task_key, task_of

RUNS = []


@agent
def echo(text: str) -> str:
    RUNS.append(text)
    return text


@agent(durability="durable")
def solid(text: str) -> str:
    return text.upper()


@agent(timeout=20)
async def both(text: str, *, ctx: TaskContext) -> list:
    return await ctx.gather(ctx.task("echo", text=text), ctx.task("solid", text=text))


@pytest.fixture
def memory():
    RUNS.clear()
    return MemorySwarm(echo, solid, both)


def reads_of(memory):
    """Return the keys of each read from now on, as the store is asked for them."""
    asked = []
    read, read_many = memory.store.read, memory.store.read_many

    async def one(key):
        asked.append([key])
        return await read(key)

    async def many(keys):
        asked.append(list(keys))
        return await read_many(keys)

    memory.store.read, memory.store.read_many = one, many
    return asked


def stranger(memory):
    """Return a connection of the same principal in another process: it remembers nothing."""
    return memory.connection_for("me")


# What is whose


def test_the_agent_stands_in_every_key():
    assert task_of(task_key("echo", "id")) == ("echo", "id")
    assert task_key("echo", "id").pk == "task#echo#id"
    entry = LedgerEntry(
        day="2027-01-15",
        agent="planner",
        model="m",
        principal="me#you",
        task_id="id",
        call="c",
        tokens=Tokens(),
        micro_usd=1,
        at_ms=1,
    )
    assert entry.key.pk == "ledger#planner#2027-01-15"
    assert payload_key("echo", "id", "result-v").startswith("payloads/echo/id/")
    assert event_payload_key("echo", "id").split("/")[1] != "echo"  # a topic of an agent's name


async def test_large_payloads_lie_under_their_own_agent(memory):
    text = "x" * 200_000
    task_id = await memory.submit(both, text=text)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == [text, text.upper()]
    places = [one.split("/")[3:] for one in memory.blobs.objects]
    owners = {(place[1], place[2]) for place in places if place[0] == "payloads"}
    assert owners == {task_of(key) for key in memory.kept}


async def test_a_child_changes_nothing_of_its_parent_but_the_join(memory):
    task_id = await memory.submit(both, text="a")
    await memory.work(both)
    parent = await memory.record(task_id)
    count = protocol.count(parent.key, [0])
    fire = protocol.fire(parent, v="v", now_ms=1, due_at_ms=2)
    assert {change.name for change in (*count.changes, *fire.changes)} == {
        *("pending", "phase", "v", "lease_until", "attempt", "updated", "resumed"),
        *("due_at", "due_shard"),
    }


# Who knows only an id


async def test_an_id_alone_is_asked_for_under_every_agent_in_one_read_and_then_known(memory):
    task_id = await memory.submit(solid, text="a")
    swarm = AsyncSwarm(stranger(memory))
    asked = reads_of(memory)
    assert (await swarm.get(task_id)).record.agent == "solid"
    assert asked == [[task_key(name, task_id) for name in ("both", "echo", "solid")]]
    assert (await swarm.get(task_id)).status is Status.WORKING
    assert asked[1:] == [[task_key("solid", task_id)]]


async def test_a_handle_and_a_map_ask_for_one_key_a_task(memory):
    swarm = AsyncSwarm(memory.connection)
    task = await swarm.submit(solid, text="a")
    await memory.settle_down()
    asked = reads_of(memory)
    assert await task.result() == "A"
    assert [found.agent async for found in AsyncSwarm(stranger(memory)).wait([task])] == ["solid"]
    assert asked == [[task_key("solid", task.id)]] * 2


async def test_tasks_of_an_agent_that_was_removed_are_still_found(memory):
    task_id = await memory.submit(solid, text="a")
    fewer = Catalogue.of([echo.spec])
    left = fewer.after(fewer.after(memory.catalogue))
    assert left.removed == ("both", "solid")
    assert Catalogue.load(left.dump()) == left
    assert Catalogue.of([echo.spec, solid.spec]).after(left).removed == ("both",)
    later = replace(stranger(memory), catalogue=left)
    assert (await AsyncSwarm(later).get(task_id)).record.agent == "solid"


async def test_an_id_that_another_agent_has_copied_is_believed_of_neither(memory):
    task_id = await memory.submit(solid, text="a")
    forged = Message(id=task_id, name="echo", arguments={"text": "lies"}, principal="me")
    await memory.bus.send(
        memory.queue(echo),
        [Outgoing(id="forged", body=forged.encode(), principal="me", agent="echo")],
    )
    await memory.work(echo)
    with pytest.raises(TaskNotFound):
        await AsyncSwarm(stranger(memory)).get(task_id)
    await memory.settle_down()
    swarm = AsyncSwarm(memory.connection)  # which submitted it
    assert (await swarm.get(task_id)).result() == "A"


async def test_a_stage_of_the_former_layout_is_refused_with_what_to_do(memory):
    former = {**loads(memory.catalogue.dump()), "format": 1}
    with pytest.raises(NotDeployed) as refused:
        Catalogue.load(dumps(former))
    assert "sqswarm destroy" in refused.value.hint


# Tombstones


async def test_a_bare_cancel_never_stands_in_an_idempotency_keys_way(memory):
    task_id = derive_task_id("me\x00echo", "k", at_ms=0)
    for named in ("echo", None):
        with pytest.raises(TaskNotFound):
            await cancel(memory.connection, task_id, agent=named)
    assert memory.kept == {}
    assert await memory.submit(echo, {"idempotency_key": "k"}, text="a") == task_id
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == "a"


async def test_a_cancel_without_the_agent_of_a_task_that_nobody_knows_leaves_nothing(memory):
    task_id = new_task_id(memory.clock.now_ms(), memory.clock.random_bits)
    with pytest.raises(TaskNotFound) as refused:
        await cancel(stranger(memory), task_id)
    assert "agent" in refused.value.hint
    with pytest.raises(TaskNotFound):  # it would have its record before its message
        await cancel(stranger(memory), task_id, agent="solid")
    assert memory.kept == {}


async def test_a_handle_cancels_a_task_that_no_worker_has_begun_for_as_long_as_its_message_lives(
    memory,
):
    task = await AsyncSwarm(memory.connection).submit(echo, text="a")
    assert await task.cancel() is Status.CANCELLED
    [tombstone] = memory.kept.values()
    assert tombstone["ttl"] == memory.clock.now_ms() // 1000 + MESSAGE_LIFE_S
    await memory.settle_down()
    assert RUNS == []
    memory.store.items.clear()
    memory.clock.advance(seconds=MESSAGE_LIFE_S + 1)
    with pytest.raises(TaskNotFound):  # no message of it can be left
        await task.cancel()
    assert memory.kept == {}


# What workers do to one another


async def test_workers_never_publish_and_their_queues_get_what_topics_would_bring(memory):
    task_id = await memory.submit(both, text="a")
    [told] = memory.bus._queues[memory.queue(both)].messages
    by_topic = (set(told.attributes), told.group)

    async def refused(topic, _messages):
        raise AssertionError(topic)

    memory.bus.publish = refused
    await memory.work(both)
    for one in (echo, solid):
        [message] = memory.bus._queues[memory.queue(one)].messages
        assert (set(message.attributes), message.group) == by_topic
        assert message.attributes["agent"] == one.name
    await memory.work(echo)
    await memory.work(solid)
    [resumed] = memory.bus._queues[memory.queue(both)].messages
    assert (dict(resumed.attributes), resumed.group) == (dict(told.attributes), told.group)
    await memory.work(both)
    assert (await memory.see(task_id)).result() == ["a", "A"]


async def test_a_child_names_its_parents_agent_in_record_and_message(memory):
    task_id = await memory.submit(both, text="a")
    await memory.work(both)
    [body] = memory.waiting(echo)
    meta = loads(body)["params"]["_meta"]
    assert meta["dev.sqswarm/parent-agent"] == "both"
    assert meta["dev.sqswarm/parent"].startswith(task_id)
    [child] = [i for key, i in memory.kept.items() if task_of(key)[0] == "echo"]
    assert child["parent_agent"] == "both"


async def test_a_worker_leaves_the_children_of_its_cancelled_task_to_housekeeping(memory):
    task_id = await memory.submit(both, text="a")
    await memory.work(both)
    parent = await memory.record(task_id)
    # Its canceller dies after the first write.
    now_ms = memory.clock.now_ms()
    await memory.store.write(
        protocol.cancel(parent, now_ms=now_ms, expires_s=1, owes_until_ms=now_ms + 60_000)
    )
    await memory.copy(both, parent.to_message().encode())
    await memory.work(both)
    assert memory.waiting(both) == []
    statuses = {task_of(k)[0]: i["status"] for k, i in memory.kept.items()}
    assert statuses == {"both": "cancelled", "echo": "working", "solid": "working"}
    assert (await memory.record(task_id)).due_at_ms is not None
    memory.clock.advance(seconds=60)
    await memory.housekeeper.sweep()
    assert {i["status"] for i in memory.kept.values()} == {"cancelled"}
    assert (await memory.record(task_id)).due_at_ms is None


async def test_a_join_of_an_agent_that_has_no_such_task_changes_nothing(memory):
    task_id = await memory.submit(both, text="a")
    await memory.work(both)
    await count_in_parent(memory.connection, task_key("echo", task_id), [0, 1])
    assert (await memory.record(task_id)).pending == frozenset({0, 1})


async def test_a_dead_letter_of_another_agents_task_fails_no_task(memory):
    [task] = await submit(memory.connection, "solid", [Request(arguments={"text": "a"})])
    record = await memory.record(task.task_id)
    queue = memory.bus._queues[memory.queue(echo)].dead_letters_to
    memory.bus._store(queue, record.to_message().encode(), {}, "me")
    await memory.housekeep()
    assert [task_of(key)[0] for key in memory.kept] == ["solid"]
    [letter] = await memory.letters(echo)
    assert letter.attributes["reason"] == "unknown-agent"
    assert "solid" in letter.attributes["detail"]


async def test_a_childs_id_is_its_parents_word_for_it(memory):
    task_id = await memory.submit(both, text="a")
    await memory.work(both)
    keys = plan_entry((await memory.record(task_id)).waits)["children"]
    for child in keys:
        found = await AsyncSwarm(stranger(memory)).get(child_id(task_id, child["key"]))
        assert found.record.agent == child["agent"]
