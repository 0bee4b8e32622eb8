"""Roles by what agents declare. That nothing more is needed, and nothing less: tests/iam."""

import pytest
from infra_specs import rendered, spec

from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.schemas.agent_spec import Keeps, Limit, Rate, Subscription
from sqswarm.schemas.errors import InvalidAgent


def statements(template, title="A"):
    """Return a role's statements by Sid, ARNs cut to what follows the account."""
    role = template["Resources"][f"{title}Role"]["Properties"]
    found = role["Policies"][0]["PolicyDocument"]["Statement"]
    return {one["Sid"]: one for one in found}


def keys(statement):
    return statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def test_an_agent_that_knows_nothing_of_its_task_has_eight_statements():
    assert list(statements(rendered(spec("a")))) == [
        *("Consume", "PutAside", "Own", "Activity", "Payloads", "Catalogue", "Log", "Trace")
    ]


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ({}, []),
        ({"keeps": frozenset({Keeps.JOURNAL})}, ["session#a#*"]),
        ({"rate": Rate(count=1, per_s=1)}, ["rate#a"]),
        ({"limit": Limit(1)}, ["limit#a#*"]),
        (
            {"keeps": frozenset({Keeps.JOURNAL, Keeps.LEDGER, Keeps.AGENT_PURSE})},
            ["session#a#*", "ledger#a#*", "spend#agent#a"],
        ),
    ],
)
def test_its_own_items_are_those_that_it_keeps(options, own):
    assert keys(statements(rendered(spec("a", **options)))["Own"]) == ["task#a#*", *own]


def test_every_grant_on_items_asks_for_the_keys_presence():
    callers = [spec("a", calls=("b",), keeps=frozenset(Keeps)), spec("b")]
    for title in ("A", "B"):
        for one in statements(rendered(*callers), title).values():
            if one["Action"][0].startswith("dynamodb:"):
                assert one["Condition"]["Null"]["dynamodb:LeadingKeys"] == "false"


def test_no_agents_role_publishes_lists_or_selects():
    template = rendered(spec("a", calls=None, keeps=frozenset(Keeps)), spec("b", calls=None))
    forbidden = {
        *("sns:Publish", "s3:ListBucket", "dynamodb:Scan", "dynamodb:PartiQLSelect"),
        *("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:PartiQLDelete"),
    }
    for title in ("A", "B"):
        allowed = {a for one in statements(template, title).values() for a in one["Action"]}
        assert not allowed & forbidden


def test_a_call_gives_each_side_what_it_takes():
    template = rendered(spec("a", calls=("b",)), spec("b"), spec("c"))
    a, b, c = (statements(template, title) for title in "ABC")
    assert a.keys() - c.keys() == {"StartTasks", "Call", "GiveArguments", "ReadResults"}
    assert b.keys() - c.keys() == {"Join", "ResumeParents"}
    assert keys(a["StartTasks"]) == ["task#b#*"]
    assert a["GiveArguments"]["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert keys(b["Join"]) == ["task#a#*"]
    attributes = b["Join"]["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert not {"arguments", "result", "error", "waits", "answers", "principal"} & {*attributes}


def test_an_agent_that_may_call_anybody_calls_all_but_needs_nothing_more_for_itself():
    a = statements(rendered(spec("a", calls=None), spec("b"), spec("c")))
    assert keys(a["StartTasks"]) == ["task#*"]
    queues = [one["Fn::Sub"].rpartition(":")[2] for one in a["Call"]["Resource"]]
    assert queues == ["sqswarm-dev-b", "sqswarm-dev-c"]
    assert "Join" not in a


def test_a_subscriber_reads_the_payloads_of_its_topics():
    a = statements(rendered(spec("a", subscriptions=(Subscription(topic="news"),))))
    [arn] = a["Events"]["Resource"]
    assert arn["Fn::Sub"].endswith("/payloads/topic.news/*")


def test_a_policy_that_iam_would_not_take_is_refused_with_the_fix():
    many = [spec(f"callee-with-a-long-name-{n:02}") for n in range(30)]
    names = tuple(one.name for one in many)
    assert statements(rendered(spec("a", calls=names[:20]), *many))
    with pytest.raises(InvalidAgent, match=r"agent 'a' needs a policy of 1[12],") as caught:
        rendered(spec("a", calls=names), *many)
    assert "calls=[...]" in caught.value.hint


def test_thirty_agents_may_all_call_one_another():
    assert rendered(*(spec(f"agent-of-some-name-{n:02}", calls=None) for n in range(30)))


def test_a_deployment_says_whose_calls_nobody_can_read(tmp_path):
    project = Project(root=tmp_path, modules=("m",), pythonpath=())
    specs = {name: spec(name, calls=None if name == "a" else ()) for name in "ab"}
    [note] = plan_of(specs, project, stage="dev").notes
    assert "may call every agent: a (fix: @agent(calls=[...]))" in note
    assert plan_of({"b": specs["b"]}, project, stage="dev").notes == ()
