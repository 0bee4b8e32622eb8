"""Who is told, by what a project and its agents declare: roles, environment, catalogue."""

import json

import pytest
from infra_specs import spec

from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import find_project
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import InvalidAgent, UsageError
from sqswarm.schemas.settings import TELLS
from sqswarm.workers.agents.webhook import webhook

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ended"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:ended"
BUS = "arn:aws:events:eu-west-1:123456789012:event-bus/office"
URL = "https://example.com/hook"


@pytest.fixture
def planned(tmp_path):
    def plan_it(table, *specs):
        text = f'[tool.sqswarm]\nagents = ["m"]\n{table}\n'
        (tmp_path / "pyproject.toml").write_text(text)
        return plan_of({s.name: s for s in specs}, find_project(tmp_path), stage="dev")

    return plan_it


def resources(plan):
    return json.loads(plan.template)["Resources"]


def granted(plan, title):
    """Return what a role may tell: by action, the resources."""
    role = resources(plan)[f"{title}Role"]["Properties"]
    found = role["Policies"][0]["PolicyDocument"]["Statement"]
    return {one["Sid"]: (one["Action"], one["Resource"]) for one in found}


def environment(plan, title):
    return resources(plan)[f"{title}Function"]["Properties"]["Environment"]["Variables"]


def test_who_names_nobody_may_tell_nobody(planned):
    plan = planned("", spec("a"), webhook.spec)
    assert not [sid for sid in granted(plan, "A") if sid.startswith(("Tell", "StartWeb"))]
    assert TELLS not in environment(plan, "A")
    assert "notify" not in json.loads(plan.catalogue.dump())


def test_an_agents_own_targets_are_its_own_and_housekeepings(planned):
    plan = planned("", spec("a", notify=(TOPIC, BUS)), spec("b"))
    a, b, keeper = (granted(plan, title) for title in ("A", "B", "Unrouted"))
    assert a["TellTopics"] == keeper["TellTopics"] == (["sns:Publish"], [TOPIC])
    assert a["TellEventBuses"] == (["events:PutEvents"], [BUS])
    assert not [sid for sid in b if sid.startswith("Tell")]
    assert environment(plan, "A")[TELLS] == "1"
    assert TELLS not in environment(plan, "B")


def test_whom_the_stage_names_every_agent_may_tell(planned):
    plan = planned(f'notify = ["{QUEUE}"]\nserver = true', spec("a"), spec("b"))
    for title in ("A", "B", "Unrouted", "Dispatcher"):
        assert granted(plan, title)["TellQueues"] == (["sqs:SendMessage"], [QUEUE])
    assert plan.catalogue.notify == (QUEUE,)
    assert Catalogue.load(plan.catalogue.dump()).notify == (QUEUE,)
    assert TELLS not in environment(plan, "A")


def test_who_is_told_of_every_task_is_every_agents(planned):
    plan = planned(f'notify_all = ["{TOPIC}"]', spec("a", notify=(QUEUE,)), spec("b"), webhook.spec)
    assert plan.specs["a"].notify == (QUEUE, TOPIC)
    assert plan.catalogue.agents["b"].notify == (TOPIC,)
    assert plan.catalogue.agents["webhook"].notify == ()
    assert plan.catalogue.notify == ()
    assert environment(plan, "B")[TELLS] == "1"


def test_a_webhook_is_told_by_its_agent_which_alone_knows_where_the_secret_is(planned):
    table = f'notify = [{{url = "{URL}", secret = "ssm:/hooks/example"}}]'
    plan = planned(table, spec("a"), webhook.spec)
    a = granted(plan, "A")
    assert a["CallWebhooks"][0] == ["sqs:SendMessage"]
    assert not [sid for sid in a if sid.startswith("Tell")]
    assert json.loads(environment(plan, "Webhook")["SQSWARM_WEBHOOKS"]) == {
        URL: "ssm:/hooks/example"
    }
    assert "SQSWARM_WEBHOOKS" not in environment(plan, "A")
    role = json.dumps(resources(plan)["WebhookRole"])
    assert "ssm:GetParameter" in role
    assert "parameter/hooks/example" in role
    assert "ssm:GetParameter" not in json.dumps(resources(plan)["ARole"])


def test_part_of_a_project_is_deployed_without_the_agent_that_tells_webhooks(planned):
    table = f'notify = [{{url = "{URL}", secret = "ssm:/hooks/example"}}]'
    plan = planned(table, spec("a"))
    assert plan.catalogue.notify == (URL,)
    assert "CallWebhooks" not in granted(plan, "A")


@pytest.mark.parametrize(
    ("table", "specs", "says"),
    [
        (f'notify = ["{URL}"]', [webhook.spec], "no secret to sign with"),
        ("", [spec("a", notify=(URL,)), webhook.spec], "no secret to sign with"),
        (f'notify_all = [{{url = "{URL}", secret = "env:S"}}]', [spec("a")], "no agent 'webhook'"),
    ],
)
def test_a_webhook_that_nobody_could_tell_is_not_deployed(planned, table, specs, says):
    with pytest.raises(InvalidAgent, match=says) as refused:
        planned(table, *specs)
    assert "[tool.sqswarm]" in refused.value.hint


@pytest.mark.parametrize(
    "table",
    [
        'notify = "arn"',
        'notify = ["nobody"]',
        "notify = [1]",
        f'notify = [{{url = "{URL}"}}]',
        f'notify = [{{url = "{URL}", secret = "whsec_abcdefghijkl"}}]',
        f'notify = [{{url = "{QUEUE}", secret = "env:S"}}]',
        f'notify_all = [{{url = "{URL}", secret = "env:S", more = 1}}]',
    ],
)
def test_what_cannot_be_told_is_refused(planned, table):
    with pytest.raises(UsageError) as refused:
        planned(table, spec("a"))
    assert "abcdefghijkl" not in str(refused.value)
