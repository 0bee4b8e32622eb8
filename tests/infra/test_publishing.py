"""What an agent publishes fits whoever gets it, or nothing is deployed; and only it may publish."""

from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from typing import Any, Literal, NotRequired

import pytest
from infra_specs import rendered, spec
from pydantic import BaseModel
from test_permissions import keys, statements
from typing_extensions import TypedDict

from sqswarm import agent
from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.infra.publishing import check_publishing
from sqswarm.schemas.agent_spec import Durability, Subscription
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.join import Join

ENRICHED = (Subscription(topic="enriched"),)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Source(BaseModel):
    url: str
    mirrors: "list[Source]" = []


@dataclass
class Enriched:
    name: str
    stars: int
    day: date
    colour: Colour
    source: Source
    tags: dict[str, int] = field(default_factory=dict)
    licence: str | None = None


def pair(returns, subscriber):
    async def publisher() -> None: ...

    publisher.__annotations__ = {"return": returns}
    return [
        agent(publishes="enriched")(publisher).spec,
        agent(topics=["enriched"], name=subscriber.__name__.strip("_"))(subscriber).spec,
    ]


def fine(
    name: str,
    stars: float,
    day: date,
    colour: Colour,
    source: Source,
    tags: dict[str, int],
    licence: str | None,
    more: int = 0,
) -> None: ...


def anything(
    name: Any,
    stars: int | str,
    day: Any,
    colour: str,
    source: dict[str, Any],
    tags: Any,
    licence: Any,
) -> None: ...


@pytest.mark.parametrize("subscriber", [fine, anything])
def test_what_fits_is_deployed(subscriber):
    check_publishing(pair(Enriched, subscriber))


class Small(TypedDict):
    name: str
    stars: NotRequired[int]


class Tree(BaseModel):
    value: int
    left: "Tree | None" = None


def string_(name: str, stars: int) -> None: ...
def few_(name: str) -> None: ...
def number_(name: int, stars: int = 0) -> None: ...
def list_(name: list[str], stars: int = 0) -> None: ...
def chosen_(name: Literal["a", "b"], stars: int = 0) -> None: ...
def nested_(value: int, left: Source | None = None) -> None: ...
def tree_(value: int, left: Tree | None = None) -> None: ...
def strings_(value: list[str]) -> None: ...


class Numbers(BaseModel):
    value: list[int]


class Maybe(BaseModel):
    name: str | None


@pytest.mark.parametrize(
    ("returns", "subscriber", "what"),
    [
        (Small, string_, "stars may be missing"),
        (Small, few_, "stars is not taken"),
        (Small, number_, "name is string, and integer is wanted"),
        (Small, list_, "name is string, and array is wanted"),
        (Small, chosen_, "name is string, and one of 'a', 'b' is wanted"),
        (Maybe, few_, "name is null, and string is wanted"),
        (Tree, nested_, "left.url is missing"),
        (Numbers, strings_, r"value\[\] is integer, and string is wanted"),
        (Numbers, few_, "name is missing; value is not taken"),
        (dict[str, Any], few_, "name is missing; it may have fields that are not taken"),
    ],
)
def test_what_does_not_fit_is_told_with_its_field(returns, subscriber, what):
    with pytest.raises(InvalidAgent, match=what) as caught:
        check_publishing(pair(returns, subscriber))
    assert "agent 'publisher' publishes to 'enriched'" in str(caught.value)
    assert repr(subscriber.__name__.strip("_")) in caught.value.hint


def test_a_type_that_contains_itself_fits_itself():
    check_publishing(pair(Tree, tree_))


OUT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def publisher(name="a", topic="enriched", **options):
    return replaced(spec(name, publishes=topic, **options))


def replaced(made):
    return replace(made, output_schema=OUT, wrapped=False)


@pytest.mark.parametrize(
    ("specs", "what", "hint"),
    [
        ([publisher()], "no agent subscribes to that", r"Subscribe one: @agent\(topics="),
        (
            [publisher(topic="enrichd"), spec("b", subscriptions=ENRICHED)],
            "'enrichd', and no agent",
            "Did you mean enriched?",
        ),
        (
            [publisher(), spec("b", subscriptions=(Subscription(topic="enriched", types=("x",)),))],
            "each subscriber of it asks for types",
            "without types",
        ),
        ([publisher(subscriptions=ENRICHED)], "circle, which never ends: a → a", "another topic"),
        (
            [
                publisher("a", subscriptions=(Subscription(topic="back"),)),
                publisher("b", "back", subscriptions=ENRICHED),
            ],
            "a → b → a|b → a → b",
            "another topic",
        ),
    ],
    ids=["nobody", "a-typo", "types-only", "itself", "a-circle"],
)
def test_a_stage_where_results_go_nowhere_or_round_is_refused(tmp_path, specs, what, hint):
    project = Project(root=tmp_path, modules=("m",), pythonpath=())
    with pytest.raises(InvalidAgent, match=what) as caught:
        plan_of({one.name: one for one in specs}, project, stage="dev")
    assert hint.replace("\\", "") in caught.value.hint


# Roles


def test_only_a_publisher_publishes_and_only_to_its_topic():
    template = rendered(
        publisher(),
        spec("b", subscriptions=ENRICHED),
        spec("c", subscriptions=(*ENRICHED, Subscription(topic="news")), ordered=True),
    )
    a, b = statements(template, "A"), statements(template, "B")
    topics = [arn["Fn::Sub"].rpartition(":")[2] for arn in a["PublishResults"]["Resource"]]
    assert topics == ["sqswarm-dev-enriched", "sqswarm-dev-enriched.fifo"]
    [arn] = a["LeaveEvents"]["Resource"]
    assert arn["Fn::Sub"].endswith("/payloads/topic.enriched/*")
    assert a["LeaveEvents"]["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert "RecordEvents" not in a
    assert not [sid for sid, one in b.items() if "sns:Publish" in one["Action"]]


def test_a_publisher_makes_the_records_of_durable_subscribers_alone():
    durable = spec("b", subscriptions=ENRICHED, durability=Durability.DURABLE)
    a = statements(rendered(publisher(), durable, spec("c", subscriptions=ENRICHED)), "A")
    assert keys(a["RecordEvents"]) == ["task#b#*"]
    assert a["RecordEvents"]["Action"] == ["dynamodb:PartiQLInsert", "dynamodb:BatchGetItem"]


def test_housekeeping_publishes_what_is_owed():
    template = rendered(publisher(), spec("b", subscriptions=ENRICHED))
    found = statements(
        template, "Housekeeping" if "HousekeepingRole" in template["Resources"] else "Unrouted"
    )
    topics = [arn["Fn::Sub"].rpartition(":")[2] for arn in found["StartTasks"]["Resource"]]
    assert topics == ["sqswarm-dev-tasks", "sqswarm-dev-enriched"]


def test_an_agent_that_joins_wakes_its_own_tasks_and_hears_its_topics():
    joins = Join(topics=("enriched", "news"), key="text", within_s=60)
    heard = (*ENRICHED, Subscription(topic="news"))
    b = statements(rendered(publisher(), spec("b", joins=joins, subscriptions=heard)), "B")
    [own] = b["WakeUp"]["Resource"]
    assert own["Fn::Sub"].endswith(":sqswarm-dev-b")
    assert len(b["Events"]["Resource"]) == 2


def test_the_catalogue_keeps_who_publishes_and_joins():
    joins = Join(topics=("enriched", "news"), key="text", within_s=60)
    made = Catalogue.of([publisher(), spec("b", joins=joins, subscriptions=ENRICHED)])
    assert Catalogue.load(made.dump()).agents == made.agents
    assert made.agents["b"].spec().joins == joins
