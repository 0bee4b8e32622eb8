"""No statement, action or key stands in a role that nothing needs."""

import copy

import pytest
from policies import allows, asked_by_role, deployed, needless_parts, needless_statements

pytestmark = pytest.mark.proof


@pytest.fixture(scope="module")
def policies(stage):
    return deployed(stage)


@pytest.fixture(scope="module")
def asked(stage, played):
    return asked_by_role(stage)


def test_the_evaluator_allows_what_was_asked(policies, asked):
    assert policies.keys() == asked.keys()
    assert [a for role in policies for a in asked[role] if not allows(policies[role], a)] == []


def test_a_role_without_any_one_statement_is_denied_something(policies, asked):
    needless = needless_statements(policies, asked)
    assert not needless, "\n".join(needless)


def test_no_action_and_no_key_is_allowed_that_nothing_uses(policies, asked):
    needless = needless_parts(policies, asked)
    assert not needless, "\n".join(needless)


@pytest.mark.parametrize("action", ["dynamodb:PartiQLSelect", "dynamodb:Scan", "dynamodb:PutItem"])
@pytest.mark.parametrize("role", ["plain", "unrouted"])
def test_an_action_that_comes_back_is_seen(policies, asked, role, action):
    changed = {role: copy.deepcopy(policies[role])}
    [statement] = [s for s in changed[role] if s["Sid"] in {"Own", "Tasks"}]
    statement["Action"].append(action)
    kind = "unrouted" if role == "unrouted" else "agent"
    assert f"{kind}: {statement['Sid']}: {action}" in needless_parts(changed, asked)


def test_a_statement_that_comes_back_is_seen(policies, asked):
    more = {"Sid": "Publish", "Effect": "Allow", "Action": ["sns:Publish"], "Resource": ["*"]}
    changed = {"plain": [*policies["plain"], more]}
    assert needless_statements(changed, asked) == ["plain: Publish"]
