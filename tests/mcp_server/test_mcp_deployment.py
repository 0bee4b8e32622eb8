"""The server's part of the template, and what `[tool.sqswarm]` says of it."""

import json

import pytest
from cfnlint.api import lint

from sqswarm.infra.options import ServerOptions
from sqswarm.infra.project import find_project
from sqswarm.infra.requirements import Requirements
from sqswarm.infra.template import render, template_names
from sqswarm.infra.topology import topology
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import UsageError

SPEC = AgentSpec(
    name="echo",
    title="Echo",
    description="Echo.",
    input_schema={"type": "object"},
    output_schema=None,
    wrapped=True,
)


def rendered(**options):
    server = ServerOptions(**options)
    built = topology(
        [SPEC],
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        server=server,
    )
    return json.loads(render(built).template)


def kinds(template):
    return [resource["Type"] for resource in template["Resources"].values()]


@pytest.mark.parametrize("auth", ["AWS_IAM", "NONE"])
@pytest.mark.parametrize("api", [False, True])
def test_cfn_lint_finds_nothing_in_a_server(auth, api):
    assert lint(json.dumps(rendered(auth=auth, api=api)), regions=["us-east-1"]) == []


def test_only_an_open_server_may_be_reached_by_everybody():
    assert "AWS::Lambda::Permission" in kinds(rendered(auth="NONE"))
    guarded = rendered(auth="AWS_IAM")["Resources"].values()
    invokers = [r["Properties"] for r in guarded if r["Type"] == "AWS::Lambda::Permission"]
    assert {p["Principal"] for p in invokers} == {"events.amazonaws.com"}


def test_a_rest_api_asks_for_the_same_signature():
    template = rendered(auth="AWS_IAM", api=True)
    method = template["Resources"]["DispatcherApiMethod"]["Properties"]
    assert method["AuthorizationType"] == "AWS_IAM"


def test_another_auth_is_deployed_to_the_rest_api():
    stages = [
        rendered(auth=auth, api=True)["Resources"]["DispatcherApiStage"]["Properties"]
        for auth in ("AWS_IAM", "NONE")
    ]
    assert stages[0]["DeploymentId"] != stages[1]["DeploymentId"]


def test_the_servers_role_names_no_action_with_a_wildcard():
    extra = {"Action": ["ssm:GetParameter"], "Resource": ["arn:aws:ssm:::parameter/keys"]}
    role = rendered(permissions=(extra,))["Resources"]["DispatcherRole"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert {**extra, "Effect": "Allow"} in statements
    for statement in statements:
        assert not [a for a in statement["Action"] if "*" in a]
        if statement["Resource"] == ["*"]:
            assert all(a.startswith("xray:") for a in statement["Action"])


def test_only_a_servers_archive_carries_mcp():
    with_server = Requirements((), "arm64", server=True).lines
    assert any(line.startswith("mcp==") for line in with_server)
    assert any(line.startswith("mangum==") for line in with_server)
    assert not any(line.startswith("mcp==") for line in Requirements((), "arm64").lines)


def project(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(f'[tool.sqswarm]\nagents = ["m"]\n{text}')
    return find_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="none"),
        pytest.param("server = false", None, id="said-so"),
        pytest.param("server = true", ServerOptions(), id="with-defaults"),
        pytest.param(
            '[tool.sqswarm.server]\nauth = "NONE"\napi = true\nenv = {A = "b"}',
            ServerOptions(auth="NONE", api=True, env={"A": "b"}),
            id="with-options",
        ),
    ],
)
def test_a_project_says_whether_it_has_a_server(tmp_path, text, expected):
    assert project(tmp_path, text).server == expected


@pytest.mark.parametrize(
    "text",
    ['server = "yes"', "[tool.sqswarm.server]\nauth = 'OPEN'", "[tool.sqswarm.server]\nport = 1"],
)
def test_a_server_that_cannot_work_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match="server"):
        project(tmp_path, text)
