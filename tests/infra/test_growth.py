"""How many agents a stage takes, in how many stacks: docs/scale.md says it, and this counts it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cfnlint.api import lint
from infra_specs import ORDERED, every_resource, spec

from sqswarm.infra.options import ServerOptions
from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.infra.resources import Fleet
from sqswarm.infra.template import RESOURCE_LIMIT, permissions, render, template_names
from sqswarm.infra.template.parts import own_resources
from sqswarm.infra.template.permissions import agent_statements, fitted, housekeeping_statements
from sqswarm.infra.topology import topology
from sqswarm.schemas.agent_spec import Hosting, Subscription
from sqswarm.schemas.errors import InvalidAgent

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()
MOST = 199  # with housekeeping's own, SNS's 200 filter policies a topic


def plain(number, stem="agent"):
    return [spec(f"{stem}{n:03}") for n in range(number)]


def built(specs, **options):
    return topology(
        specs,
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        **options,
    )


@pytest.fixture(scope="module")
def many():
    """A stage of as many agents as SNS takes by default, and a server."""
    return render(built([*plain(MOST - 1), ORDERED], server=ServerOptions(auth="AWS_IAM")))


def templates(made):
    return [json.loads(text) for text in (made.template, *made.parts)]


def test_one_stack_holds_as_many_plain_agents_as_the_page_says(many):
    fits = next(n for n in range(38, 60) if len(render(built(plain(n + 1))).places) > 1)
    size = sum(1 for _ in own_resources(built(plain(1)).agents[0], built(plain(1))))
    assert f"An agent is {size} of its resources" in PAGE
    assert f"{RESOURCE_LIMIT}: {fits} plain agents" in PAGE
    assert f"{MOST} agents are {len(many.places)} stacks" in PAGE


def policies_fit(specs):
    whole = built(specs)
    try:
        return bool(agent_statements(whole.agents[0], whole))
    except InvalidAgent:
        return False


@pytest.mark.parametrize(
    ("others", "calls", "said"),
    [(83, None, "84 that all may call all"), (111, (), "112 that one may call")],
    ids=["all", "one"],
)
def test_a_role_names_as_many_agents_as_the_page_says(others, calls, said):
    crowd = [spec("agent000", calls=None), *(replace(one, calls=calls) for one in plain(200)[1:])]
    assert policies_fit(crowd[:others])
    assert not policies_fit(crowd[: others + 1])
    assert said in PAGE


def test_every_agent_is_in_one_stack_and_none_of_them_is_too_large(many):
    names = [name for stack in many.places for name in stack]
    assert sorted(names) == sorted({*names})
    assert len(names) == MOST
    for template, agents in zip(templates(many), many.places, strict=True):
        assert len(template["Resources"]) <= RESOURCE_LIMIT
        assert len(template.get("Outputs", {})) <= 200
        queues = {r["Properties"]["QueueName"] for r in of(template, "AWS::SQS::Queue")}
        assert {name for name in agents if f"sqswarm-dev-{name}" in queues or name == "ledger"} == {
            *agents
        }


def of(template, kind):
    return [one for one in template["Resources"].values() if one["Type"] == kind]


def test_a_further_stack_refers_to_nothing_that_is_not_in_it(many):
    versioned = render(built(plain(60), keep_versions=True)).parts
    assert any('"AWS::Lambda::Alias"' in text for text in versioned)
    for text in (*many.parts, *versioned):
        template = json.loads(text)
        known = {*template["Resources"], *template["Parameters"]}
        assert {*re.findall(r'{"Ref":"([^":]+)"}', text)} <= known
        assert {
            title for title, _ in re.findall(r'"Fn::GetAtt":\["(\w+)","(\w+)"\]', text)
        } <= known


def test_cfn_lint_finds_nothing_in_any_kind_of_them(monkeypatch):
    monkeypatch.setattr(permissions, "POLICY_LIMIT", 1_900)
    monkeypatch.setattr(permissions, "_MANY", 1)
    made = render(built(plain(2)), [["agent000"], [], ["agent001"]])
    for text in (made.template, *made.parts):
        assert lint(text, regions=["us-east-1"]) == []
    assert "ManagedPolicyArns" in made.template
    assert "NoAgents" in made.parts[0]
    assert "Agent001Queue" in made.parts[1]


def test_each_agent_keeps_a_role_of_its_own(many):
    roles = [one for template in templates(many) for one in of(template, "AWS::IAM::Role")]
    functions = [
        one for template in templates(many) for one in of(template, "AWS::Lambda::Function")
    ]
    assert len(roles) == len(functions) == MOST + 2  # housekeeping, server


def test_roles_that_reach_every_agent_are_within_what_iam_takes(many):
    root = templates(many)[0]
    further = of(root, "AWS::IAM::ManagedPolicy")
    assert further
    for one in further:
        assert len(json.dumps(one["Properties"]["PolicyDocument"])) < 6_144
    statements = housekeeping_statements(built(plain(MOST)))
    own, rest = fitted(statements)
    allowed = {
        (action, str(resource.data))
        for one in (*own, *rest)
        for action in one["Action"]
        for resource in one["Resource"]
        if not isinstance(resource, str)
    }
    asked = {
        (action, str(resource.data))
        for one in statements
        for action in one["Action"]
        for resource in one["Resource"]
        if not isinstance(resource, str)
    }
    assert allowed == asked


def test_more_agents_than_a_role_can_name_are_refused():
    with pytest.raises(InvalidAgent, match="450"):
        render(built(plain(451)))


def test_an_agent_stays_in_the_stack_where_it_is():
    before = render(built(plain(39, "m")))
    after = render(built([*plain(39, "m"), *plain(30, "a"), *plain(30, "z")]), before.places)
    assert before.places[0] == after.places[0]
    old, new = json.loads(before.template)["Resources"], json.loads(after.template)["Resources"]
    kept = ("AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::SNS::Topic", "AWS::S3::Bucket")
    for title, resource in old.items():
        if resource["Type"] in kept:
            assert new[title] == resource
    fewer = [*plain(30, "m"), *plain(30, "a"), *plain(20, "z")]
    again = render(built(fewer), after.places)
    for stack, later in zip(after.places, again.places, strict=False):
        assert {*later} <= {*stack}


def test_new_agents_take_the_room_of_those_that_went():
    before = render(built(plain(60)))
    gone = [one for one in plain(60) if one.name not in before.places[0][:10]]
    after = render(built([*gone, *plain(5, "new")]), before.places)
    assert {f"new{n:03}" for n in range(5)} <= {*after.places[0]}


def test_a_stage_that_shrank_keeps_its_stacks_until_their_agents_are_gone():
    before = render(built(plain(60)))
    left = [one for one in plain(60) if one.name in before.places[1]]
    after = render(built(left), before.places)
    assert after.places == ((), before.places[1])
    gone = render(built([one for one in plain(60) if one.name in before.places[0]]), before.places)
    assert len(gone.parts) == 0


def test_agents_in_containers_are_in_the_first_stack():
    boxed = [
        spec(f"box{n}", runs_on=Hosting.CONTAINER, timeout_s=7200, memory_mb=3000) for n in range(3)
    ]
    fleet = Fleet(image="registry/me:1", subnets=("subnet-0a1b2c3d",))
    made = render(built([*plain(60), *boxed], fleet=fleet))
    assert {one.name for one in boxed} <= {*made.places[0]}


def test_who_deploys_more_than_sns_takes_is_told(tmp_path):
    def notes(number):
        specs = {one.name: one for one in plain(number)}
        project = Project(root=tmp_path, pythonpath=(), modules=("m",))
        return " ".join(plan_of(specs, project, stage="dev").notes)

    assert notes(MOST) == ""
    assert "sqswarm-dev-tasks needs 201 filter policies" in notes(MOST + 1)


def test_a_topic_with_filters_counts_by_itself(tmp_path):
    listening = [
        spec(f"agent{n}", subscriptions=(Subscription(topic="packages", types=("a",)),))
        for n in range(3)
    ]
    project = Project(root=tmp_path, pythonpath=(), modules=("m",))
    assert plan_of({one.name: one for one in listening}, project, stage="dev").notes == ()


def test_what_everything_is_made_of_is_still_one_stack():
    assert len(json.loads(every_resource())["Resources"]) < RESOURCE_LIMIT
