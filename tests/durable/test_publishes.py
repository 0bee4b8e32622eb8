"""Agents that publish: a result is an event, once a task, whoever dies on the way."""

from dataclasses import dataclass

import pytest
from memory_swarm import MemorySwarm as CountedSwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.infra.cli.timeline_tree import timeline_lines
from sqswarm.infra.console.graph import mermaid_of
from sqswarm.schemas.agent_spec import Subscription
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.ids import event_task_id, result_event_id
from sqswarm.schemas.payload import INLINE_LIMIT_BYTES
from sqswarm.testing import Duplicate, MemorySwarm, kill_everywhere

LARGE = INLINE_LIMIT_BYTES + 1
OVER_A_RECORD = 150_000


@dataclass
class Enriched:
    name: str
    stars: int


def found(name):
    if name == "unknown":
        raise Fail("there is no such package", type="NoPackage")
    return Enriched(
        name=name * (LARGE if name == "x" else OVER_A_RECORD if name == "y" else 1), stars=3
    )


@agent(topics=["packages"], publishes="enriched")
async def enrich(name: str) -> Enriched:
    return found(name)


@agent(publishes="enriched", durability="lean")
async def enrich_lean(name: str) -> Enriched:
    return found(name)


@agent(publishes="enriched", durability="durable")
async def enrich_durable(name: str) -> Enriched:
    return found(name)


@agent(publishes="enriched")
async def enrich_slowly(name: str, *, ctx: TaskContext) -> Enriched:
    await ctx.sleep(3600)
    return found(name)


@agent(topics=["enriched"])
async def rate(name: str, stars: int) -> int:
    return len(name) * stars


@agent(topics=["enriched"], durability="durable")
async def note(name: str, stars: float) -> str:
    return name[:5]


@agent(topics=["enriched"], durability="lean")
async def count(name: str, stars: int = 0) -> int:
    return 1


@agent(topics=["enriched"], ordered=True)
async def queue_up(name: str, stars: int) -> int:
    return stars


@agent(topics=[Subscription(topic="enriched", types=("special",))])
async def special(name: str, stars: int) -> int:
    return stars


PUBLISHERS = (enrich, enrich_lean, enrich_durable, enrich_slowly)
SUBSCRIBERS = (rate, note, count, queue_up)
EVERYBODY = (*PUBLISHERS, *SUBSCRIBERS, special)


def of_event(memory, task):
    """The tasks that came of a task's result, by their agents."""
    event = result_event_id(task.id)
    ids = {event_task_id(event, one.name): one.name for one in EVERYBODY}
    return {ids[r.task_id]: r for r in memory.records if r.task_id in ids}


@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda one: one.name)
def test_a_result_is_one_task_of_each_subscriber(publisher):
    with MemorySwarm(*EVERYBODY) as memory:
        task = memory.submit(publisher, name="left-pad")
        memory.run()
        made = of_event(memory, task)
        assert set(made) == {one.name for one in SUBSCRIBERS}
        assert len(memory.records) == 1 + len(SUBSCRIBERS)
        assert {record.status for record in made.values()} == {"completed"}
        assert {record.topic for record in made.values()} == {"enriched"}
        assert {r.published_by for r in made.values()} == {f"{publisher.name}#{task.id}"}
        assert memory.get(made["rate"].task_id).result() == 8 * 3
        assert not any(record.due_at_ms for record in memory.records)


def test_an_event_of_a_subscriber_is_passed_on_along_a_chain():
    with MemorySwarm(*EVERYBODY) as memory:
        [task] = memory.publish("packages", {"name": "left-pad"})
        memory.run()
        assert set(of_event(memory, task)) == {one.name for one in SUBSCRIBERS}


@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda one: one.name)
def test_whoever_dies_at_any_moment_an_event_is_published_once(publisher):
    def story(memory):
        task = memory.submit(publisher, name="left-pad")
        memory.run()
        return sorted((name, r.status.value) for name, r in of_event(memory, task).items())

    told = kill_everywhere(story, publisher, rate, note, count)
    assert told == [("count", "completed"), ("note", "completed"), ("rate", "completed")]


@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda one: one.name)
def test_a_message_that_comes_again_makes_no_task_twice(publisher):
    with MemorySwarm(publisher, rate, note, faults=[Duplicate(agent=publisher.name)]) as memory:
        task = memory.submit(publisher, name="left-pad")
        memory.run()
        memory.redeliver(task.id)
        memory.run()
        assert set(of_event(memory, task)) == {"rate", "note"}
        assert len(memory.records) == 3
        assert {record.attempt for record in of_event(memory, task).values()} == {1}


@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda one: one.name)
def test_a_failed_or_cancelled_task_publishes_nothing(publisher):
    with MemorySwarm(publisher, rate) as memory:
        memory.submit(publisher, name="unknown")
        memory.submit(publisher, name="left-pad").cancel()
        memory.run()
        assert [record.agent for record in memory.records] == [publisher.name] * 2


@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda one: one.name)
def test_a_large_result_lies_in_s3_as_the_events_own(publisher, name):
    with MemorySwarm(publisher, rate, note) as memory:
        task = memory.submit(publisher, name=name)
        memory.run()
        made = of_event(memory, task)
        assert memory.get(made["rate"].task_id).result() == len(task.result().name) * 3
        [ref] = {record.arguments.ref for record in made.values()}
        assert f"/payloads/topic.enriched/{result_event_id(task.id)}/" in ref


def test_who_has_no_subscriber_in_a_test_just_ends():
    with MemorySwarm(enrich) as memory:
        assert memory.submit(enrich, name="left-pad").result() == Enriched("left-pad", 3)
        memory.run()
        assert len(memory.records) == 1


# What it costs


@pytest.fixture
def counted():
    return CountedSwarm(*PUBLISHERS[:3], rate, count)


@pytest.fixture
def published(counted, monkeypatch):
    """How many messages each publish to the topic of the events had."""
    sizes = []
    publish = counted.bus.publish

    async def watched(topic, messages):
        if "enriched" in topic:
            sizes.append(len(messages))
        await publish(topic, messages)

    monkeypatch.setattr(counted.bus, "publish", watched)
    return sizes


@pytest.mark.parametrize("publisher", [enrich, enrich_lean], ids=["standard", "lean"])
async def test_a_batch_of_results_is_one_publish_and_no_write_more(counted, published, publisher):
    for n in range(10):
        await counted.submit(publisher, name=f"package{n}")
    with counted.counting() as counts:
        await counted.work(publisher)
    assert published == [10]
    lean = publisher is enrich_lean
    assert counts == ({"settle": 10} if lean else {"acquire": 10, "settle": 10})


async def test_a_durable_publishers_due_is_cleared_after_its_event(counted, published):
    await counted.submit(enrich_durable, name="left-pad")
    with counted.counting() as counts:
        await counted.work(enrich_durable)
    assert (published, counts) == ([1], {"acquire": 1, "settle": 1, "clear due": 1})


# What becomes of it where its worker is lost for good


@pytest.mark.parametrize("publisher", PUBLISHERS[:3], ids=lambda one: one.name)
async def test_an_event_whose_publish_fails_is_owed(counted, publisher):
    task_id = await counted.submit(publisher, name="left-pad")
    counted.bus.crash_at_publish = 1
    await counted.work(publisher)
    assert (await counted.record(task_id)).status == "completed"
    assert not counted.waiting(rate)
    counted.clock.advance(seconds=publisher.spec.visibility_s + 1)
    await counted.settle_down()
    assert event_task_id(result_event_id(task_id), "rate") in tasks_of(counted)


@pytest.mark.parametrize("publisher", PUBLISHERS[:3], ids=lambda one: one.name)
async def test_housekeeping_publishes_what_no_worker_has(counted, publisher):
    task_id = await counted.submit(publisher, name="left-pad")
    counted.bus.crash_at_publish = 1
    [delivery] = await counted.bus.receive(counted.queue(publisher), limit=1, wait_s=0)
    result = await counted.runtimes[publisher.name].handle([delivery])
    assert result.keep
    assert not counted.waiting(rate)
    for message in counted.bus._queues[counted.queue(publisher)].messages:
        message.receives = 1000  # nobody takes it any more
    await counted.housekeep(minutes=10)
    assert event_task_id(result_event_id(task_id), "rate") in tasks_of(counted)
    assert not any("due_at" in item for item in counted.kept.values())


def tasks_of(counted):
    return {key.pk.rpartition("#")[2] for key in counted.kept}


async def test_an_agent_of_newer_code_than_the_catalogue_waits_for_it(counted):
    before = counted.catalogue
    task_id = await counted.submit(enrich, name="left-pad")
    stale = CountedSwarm(special)
    counted.blobs.objects.update(stale.blobs.objects)
    worker = counted.worker(enrich)
    worker.connection.catalogue = stale.catalogue
    counted.runtimes["enrich"] = type(counted.runtimes["enrich"])(worker)
    assert (await counted.work(enrich)).keep
    counted.blobs.objects[counted.blobs.address("catalogue.json")] = before.dump().encode()
    counted.clock.advance(seconds=enrich.spec.visibility_s + 1)
    await counted.settle_down()
    assert event_task_id(result_event_id(task_id), "rate") in tasks_of(counted)


# What is refused


def test_what_is_no_declared_object_cannot_be_published():
    @agent(publishes="enriched")
    def listed(name: str) -> list[str]:
        return [name]

    @agent(publishes="enriched")
    def untyped(name: str):
        return {}

    with pytest.raises(InvalidAgent, match="publishes to 'enriched', and what it returns is no"):
        _ = listed.spec
    with pytest.raises(InvalidAgent, match="what it returns has no declared type"):
        _ = untyped.spec


def test_a_memory_swarm_refuses_what_does_not_fit():
    @agent(topics=["enriched"])
    def wants_more(name: str, stars: int, licence: str) -> None: ...

    with pytest.raises(InvalidAgent, match=r"'enrich' .*'wants_more' does not take: licence is mi"):
        MemorySwarm(enrich, wants_more)


# Where a task came from


def test_a_timeline_tells_whose_event_a_task_is_and_what_its_own_has_started():
    with MemorySwarm(*EVERYBODY) as memory:
        task = memory.submit(enrich, name="left-pad")
        memory.run()
        made = of_event(memory, task)
        lines = list(timeline_lines(task.timeline()))
        assert f"published: rate {made['rate'].task_id}  completed" in lines
        rated = memory.task(made["rate"].task_id)
        assert f"published by enrich {task.id}" in list(timeline_lines(rated.timeline()))
        told = task.timeline().to_json()["published"]
        assert {one["taskId"] for one in told} == {one.task_id for one in made.values()}
        assert rated.timeline().to_json()["publishedBy"] == [f"enrich#{task.id}"]
        records = [memory.get(one.id).record for one in (task, rated)]
        assert records[1].to_json()["publishedBy"] == f"enrich#{task.id}"
        assert records[0].traceparent[3:35] == records[1].traceparent[3:35]


def test_the_graph_shows_events_beside_children():
    with MemorySwarm(enrich, rate) as memory:
        task = memory.submit(enrich, name="left-pad")
        memory.run()
        rated = of_event(memory, task)["rate"].task_id
        source, tasks = mermaid_of(task.timeline())
        assert (tasks, "  n0 -. event .-> n1" in source) == ([task.id, rated], True)
        source, tasks = mermaid_of(memory.task(rated).timeline())
        assert (tasks, "  n1 -. event .-> n0" in source) == ([rated, task.id], True)
