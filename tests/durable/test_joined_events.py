"""Joins: events of several topics that have one key are one task, once: what has come in time."""

from dataclasses import dataclass
from itertools import permutations

import pytest
from memory_swarm import MemorySwarm as CountedSwarm

from sqswarm import Fail, agent
from sqswarm.infra.cli.arguments import merged_schema, parse_arguments
from sqswarm.infra.cli.timeline_tree import timeline_lines
from sqswarm.infra.console.graph import mermaid_of
from sqswarm.infra.publishing import check_publishing
from sqswarm.schemas.errors import InvalidAgent, InvalidArguments
from sqswarm.schemas.join import PART_INLINE_LIMIT_BYTES, event_fields, join_task_id
from sqswarm.schemas.payload import INLINE_LIMIT_BYTES
from sqswarm.testing import Duplicate, MemorySwarm, kill_everywhere

LARGE = "x" * (INLINE_LIMIT_BYTES + 1)
MINUTE = 60


@dataclass
class Licence:
    package: str
    licence: str


@dataclass
class Risk:
    package: str
    level: int


@agent(topics=["packages"], publishes="licence")
async def find_licence(package: str) -> Licence:
    return Licence(package=package, licence=LARGE if package == "large" else "MIT")


@agent(topics=["packages"], publishes="known-risk", durability="durable")
async def rate_risk(package: str) -> Risk:
    if package == "unrated":
        raise Fail("nobody knows it", type="Unrated")
    return Risk(package=package, level=len(package))


def says(package, licence, risk):
    return f"{package}: {licence and licence.licence[:3]} {risk and risk.level}"


@agent(joins=["licence", "known-risk"], key="package", within="10m")
async def judge(package: str, licence: Licence | None, known_risk: Risk | None) -> str:
    return says(package, licence, known_risk)


@agent(joins=["licence", "known-risk"], key="package", within="1h", durability="lean")
async def judge_lean(package: str, licence: Licence | None, known_risk: Risk | None) -> str:
    return says(package, licence, known_risk)


@agent(joins=["licence", "known-risk"], key="package", within="1 day", durability="durable")
def judge_durable(package: str, licence: Licence | None, known_risk: Risk | None) -> str:
    return says(package, licence, known_risk)


JUDGES = (judge, judge_lean, judge_durable)
by_judge = pytest.mark.parametrize("one", JUDGES, ids=lambda one: one.name)


def judged(memory, one):
    """The records of an agent's tasks, by the key that they join."""
    mine = [record for record in memory.records if record.agent == one.name]
    return {memory.get(record.task_id).record.arguments.inline: record for record in mine}


def outcomes(memory, one):
    return sorted(memory.get(record.task_id).result() for record in judged(memory, one).values())


@by_judge
def test_events_of_one_key_are_one_task(one):
    with MemorySwarm(find_licence, rate_risk, one) as memory:
        memory.publish_many("packages", [{"package": name} for name in ("left-pad", "is-odd")])
        memory.run()
        assert outcomes(memory, one) == ["is-odd: MIT 6", "left-pad: MIT 8"]
        assert len(memory.records) == 3 * 2
        assert memory.clock.elapsed_s < MINUTE


@by_judge
def test_what_has_not_come_in_time_is_none(one):
    with MemorySwarm(find_licence, rate_risk, one) as memory:
        memory.publish("packages", {"package": "unrated"})
        memory.run()
        assert outcomes(memory, one) == ["unrated: MIT None"]
        assert memory.clock.elapsed_s >= one.spec.joins.within_s


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
def test_neither_order_nor_repetition_matters(order):
    events = [
        ("licence", {"package": "p", "licence": "MIT"}),
        ("known-risk", {"package": "p", "level": 3}),
        ("licence", {"package": "p", "licence": "MIT"}),
    ]
    with MemorySwarm(judge) as memory:
        for n in order:
            assert memory.publish(*events[n]) == []
            memory.run(seconds=5)
        memory.run()
        assert outcomes(memory, judge) == ["p: MIT 3"]


@pytest.mark.parametrize(
    "one",
    [judge, *(pytest.param(one, marks=pytest.mark.proof) for one in (judge_lean, judge_durable))],
    ids=lambda one: one.name,
)
def test_whoever_dies_at_any_moment_each_key_is_joined_once(one):
    def story(memory):
        memory.publish_many("packages", [{"package": "a"}, {"package": "unrated"}])
        memory.run()
        return outcomes(memory, one), len(judged(memory, one))

    told = kill_everywhere(story, find_licence, rate_risk, one)
    assert told == (["a: MIT 1", "unrated: MIT None"], 2)


@by_judge
def test_events_that_come_twice_are_joined_once(one):
    faults = [Duplicate(agent=agent.name) for agent in (one, rate_risk, find_licence)]
    with MemorySwarm(find_licence, rate_risk, one, faults=faults) as memory:
        memory.publish("packages", {"package": "a"})
        memory.run()
        assert outcomes(memory, one) == ["a: MIT 1"]
        assert [record.attempt for record in judged(memory, one).values()] == [1]


def test_large_events_are_read_where_they_lie():
    with MemorySwarm(find_licence, rate_risk, judge) as memory:
        memory.publish("packages", {"package": "large"})
        memory.run()
        assert outcomes(memory, judge) == ["large: xxx 5"]


def test_eight_large_events_are_joined_whatever_the_record_holds():
    topics = [*"abcdefgh"]

    @agent(joins=topics, key="package", within="10m")
    async def wide(
        package: str,
        a: Licence | None,
        b: Licence | None,
        c: Licence | None,
        d: Licence | None,
        e: Licence | None,
        f: Licence | None,
        g: Licence | None,
        h: Licence | None,
    ) -> list[int]:
        return [len(one.licence) for one in (a, b, c, d, e, f, g, h) if one]

    text = "x" * 40_000
    assert PART_INLINE_LIMIT_BYTES < len(text) < INLINE_LIMIT_BYTES
    with MemorySwarm(wide) as memory:
        for topic in topics:
            memory.publish(topic, {"package": "p", "licence": text})
        memory.run()
        assert memory.task(join_task_id("me", "wide", "p")).result() == [40_000] * 8
        [record] = memory.records
        assert all(len(part) < 1000 for part in record.parts.values())


def test_a_late_event_makes_no_second_task():
    with MemorySwarm(judge) as memory:
        memory.publish("licence", {"package": "p", "licence": "MIT"})
        memory.run()
        memory.publish("known-risk", {"package": "p", "level": 3})
        memory.run()
        assert outcomes(memory, judge) == ["p: MIT None"]


def test_a_join_that_collects_can_be_cancelled_and_is_shown():
    with MemorySwarm(judge) as memory:
        memory.publish("licence", {"package": "p", "licence": "MIT"})
        memory.run(seconds=5)
        task = memory.task(join_task_id("me", "judge", "p"))
        shown = memory.get(task.id).record.to_json()
        assert (shown["status"], shown["joined"]) == ("working", ["licence"])
        assert task.cancel() == "cancelled"
        memory.publish("known-risk", {"package": "p", "level": 3})
        memory.run()
        assert [record.status for record in memory.records] == ["cancelled"]


def test_a_failed_join_is_redriven_with_its_events():
    runs = []

    @agent(joins=["licence", "known-risk"], key="package", within="10m", max_attempts=1)
    async def fickle(package: str, licence: Licence | None, known_risk: Risk | None) -> str:
        runs.append(package)
        if len(runs) == 1:
            raise Fail("not today", type="NotToday")
        return says(package, licence, known_risk)

    with MemorySwarm(find_licence, rate_risk, fickle) as memory:
        memory.publish("packages", {"package": "a"})
        memory.run()
        assert memory.redrive(join_task_id("me", "fickle", "a")).result() == "a: MIT 1"


def test_who_joins_may_be_submitted_too():
    with MemorySwarm(judge) as memory:
        task = memory.submit(judge, package="p", licence=Licence("p", "MIT"), known_risk=None)
        assert task.result() == "p: MIT None"


@pytest.mark.parametrize(
    ("event", "what"),
    [({"licence": "MIT"}, "package"), ({"package": "p"}, "licence"), ({"package": 3}, "package")],
)
def test_events_that_do_not_fit_are_refused_before_anything_is_published(event, what):
    with MemorySwarm(judge) as memory:
        with pytest.raises(InvalidArguments, match=what):
            memory.publish("licence", event)
        assert not memory.records


# What it costs


@pytest.fixture
def counted():
    return CountedSwarm(judge, judge_durable)


async def test_a_batch_of_first_events_is_one_write_a_key_and_the_last_one_more(counted):
    from sqswarm.dispatcher.publish import publish

    with counted.counting() as counts:
        for topic, rest in (("licence", {"licence": "MIT"}), ("known-risk", {"level": 1})):
            events = [{"package": f"p{n}", **rest} for n in range(5)]
            assert await publish(counted.connection, topic, events) == [[]] * 5
            await counted.work(judge)
    assert sum(n for kind, n in counts.items() if "refused" not in kind) == 3 * 5
    assert sum(counts.values()) == 4 * 5


async def test_an_event_without_its_key_is_put_aside(counted):
    from sqswarm.backends.ports.bus import Outgoing
    from sqswarm.schemas.message import Message

    event = Message(
        id="01890000-0000-7000-8000-000000000001",
        name="licence",
        topic="licence",
        arguments={"licence": "MIT"},
        principal="me",
    )
    out = Outgoing(id="1", body=event.encode(), principal="me")
    await counted.bus.publish("sqswarm-test-licence", [out])
    await counted.work(judge)
    [letter] = await counted.letters(judge)
    assert letter.attributes["reason"] == "no-key"
    assert not counted.kept


async def test_housekeeping_collects_what_no_worker_could(counted):
    from sqswarm.dispatcher.publish import publish

    await publish(counted.connection, "licence", [{"package": "p", "licence": "MIT"}])
    await publish(counted.connection, "known-risk", [{"package": "p", "level": 1}])
    for message in counted.bus._queues[counted.queue(judge)].messages:
        message.receives = 1000  # nobody takes it any more
    await counted.bus.receive(counted.queue(judge), limit=10, wait_s=0)
    await counted.housekeep(minutes=3)
    assert (await counted.record(join_task_id("me", "judge", "p"))).status == "completed"
    assert not await counted.letters(judge)


# What is refused


def declared(joins=("licence", "risk"), key="package", within="10m", **options):
    @agent(joins=joins, key=key, within=within, **options)
    def joiner(package: str, licence: Licence | None, risk: Risk | None) -> None: ...

    return joiner


@pytest.mark.parametrize(
    "options",
    [
        {"joins": ()},
        {"joins": "licence"},
        {"joins": ["licence"]},
        {"joins": ["licence", "licence"]},
        {"joins": ["a-b", "a_b"]},
        {"key": None},
        {"within": None},
        {"within": "soon"},
        {"within": "0m"},
        {"within": "9 years"},
        {"topics": ["risk"]},
    ],
)
def test_half_a_join_is_refused(options):
    with pytest.raises(InvalidAgent):
        declared(**options)


def test_arguments_that_are_not_what_a_join_gives_are_refused():
    @agent(joins=["licence", "risk"], key="package", within="10m", ordered=True)
    def joiner(licence: Licence, more: str, risk: Risk | None = None) -> None: ...

    with pytest.raises(InvalidAgent) as caught:
        _ = joiner.spec
    for fault in (
        "it has no argument package",
        "nothing gives its argument more",
        "its argument licence cannot be None",
        "it is ordered",
    ):
        assert fault in str(caught.value)


def test_what_a_publisher_gives_is_held_against_the_argument():
    @dataclass
    class Other:
        name: str
        level: int

    @agent(publishes="risk")
    def other() -> Other:
        return Other("p", 1)

    check_publishing([declared().spec, find_licence.spec, rate_risk_as("risk").spec])
    with pytest.raises(InvalidAgent, match=r"the key package is missing; package is missing; name"):
        check_publishing([declared().spec, other.spec])


def rate_risk_as(topic):
    @agent(publishes=topic)
    def rated() -> Risk:
        return Risk("p", 1)

    return rated


# Where it came from


def test_a_joins_timeline_tells_whose_results_it_has_and_theirs_tell_of_it():
    with MemorySwarm(find_licence, rate_risk, judge) as memory:
        tasks = memory.publish("packages", {"package": "a"})
        memory.run()
        task = memory.task(join_task_id("me", "judge", "a"))
        by = {f"{one.agent}#{one.id}" for one in tasks}
        assert {*task.timeline().published_by} == by
        lines = list(timeline_lines(task.timeline()))
        assert sum(line.startswith("published by ") for line in lines) == 2
        for one in tasks:
            [told] = one.timeline().published
            assert (told.name, told.task_id, told.outcome) == ("judge", task.id, "completed")
        source, nodes = mermaid_of(task.timeline())
        assert source.count(". event .->") == 2
        assert {*nodes} == {task.id, *(one.id for one in tasks)}


def test_the_fields_of_an_event_are_known_to_the_command_line():
    fields = event_fields(judge.spec.input_schema, "known-risk")
    given = parse_arguments(["package=p", "level=3"], merged_schema([fields]))
    assert given == {"package": "p", "level": 3}
