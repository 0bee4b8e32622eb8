import json
import re
from pathlib import Path

import pytest
from cfnlint.api import lint
from infra_specs import FLEET, LONG, PLAIN

from sqswarm import agent
from sqswarm.infra.project import find_project
from sqswarm.infra.template import render, template_names
from sqswarm.infra.template.containers import task_size
from sqswarm.infra.topology import topology
from sqswarm.schemas.errors import InvalidAgent, UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def text():
    built = topology(
        [PLAIN, LONG],
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        fleet=FLEET,
    )
    return render(built).template


@pytest.fixture(scope="module")
def resources(text):
    return json.loads(text)["Resources"]


def test_cfn_lint_finds_nothing(text):
    assert lint(text, regions=["us-east-1"]) == []


def test_it_has_mail_and_alarms_and_no_function(resources):
    assert {"LongRunQueue", "LongRunDeadLetters", "LongRunAgeAlarm"} <= resources.keys()
    assert "LongRunFunction" not in resources
    assert "EchoFunction" in resources
    assert "EchoService" not in resources


def test_without_an_image_nothing_of_it_exists(text, resources):
    assert json.loads(text)["Conditions"] == {
        "ContainersWanted": {"Fn::Not": [{"Fn::Equals": [{"Ref": "ContainerImage"}, ""]}]}
    }
    of_ecs = [r for r in resources.values() if r["Type"].startswith(("AWS::ECS", "AWS::Appl"))]
    assert len(of_ecs) == 5
    assert {r["Condition"] for r in of_ecs} == {"ContainersWanted"}
    assert resources["LongRunTaskRole"]["Condition"] == "ContainersWanted"


def test_the_message_stays_hidden_no_longer_than_a_heartbeat_needs(resources):
    assert resources["LongRunQueue"]["Properties"]["VisibilityTimeout"] == 75


def test_the_worker_is_told_which_agent_it_is(resources):
    task = resources["LongRunTask"]["Properties"]
    [container] = task["ContainerDefinitions"]
    assert container["Command"][:3] == ["long-run", "--agents", "m"]
    assert (task["Cpu"], task["Memory"]) == ("512", "3072")
    names = {one["Name"] for one in container["Environment"]}
    assert {"SQSWARM_STAGE", "SQSWARM_ACCOUNT"} <= names


def test_its_role_may_do_what_a_functions_may_but_no_logs(resources):
    def sids(title):
        role = resources[title]["Properties"]
        return {s["Sid"] for s in role["Policies"][0]["PolicyDocument"]["Statement"]}

    assert sids("LongRunTaskRole") == sids("EchoRole") - {"Log", "Trace"}


@pytest.mark.parametrize(
    ("memory_mb", "size"), [(128, (256, 512)), (600, (256, 1024)), (5000, (1024, 5120))]
)
def test_the_smallest_size_that_fits(memory_mb, size):
    assert task_size(memory_mb) == size


def test_a_long_agent_on_lambda_is_told_where_to_go():
    with pytest.raises(InvalidAgent) as caught:

        @agent(timeout=3600)
        def endless() -> None: ...

    assert "runs_on=" in caught.value.hint


def test_an_unknown_host_is_refused():
    with pytest.raises(InvalidAgent, match="none of lambda, container"):

        @agent(runs_on="moon")
        def lost() -> None: ...


@pytest.mark.parametrize(
    "table",
    ['image = "x"', 'subnets = ["s"]', "max_tasks = 0", 'picture = "x"'],
)
def test_a_wrong_container_table_is_refused(tmp_path, table):
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.sqswarm]\nagents = ["a"]\n[tool.sqswarm.container]\n{table}\n'
    )
    with pytest.raises(UsageError, match="container"):
        find_project(tmp_path)


def test_the_image_is_built_from_what_is_there():
    words = (ROOT / "Dockerfile").read_text()
    copied = {
        name
        for line in re.findall(r"^COPY (?!--)(.+)$", words, re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert all((ROOT / name).exists() for name in copied)
    linked = {link.name for link in (ROOT / "src" / "sqswarm").iterdir() if link.is_symlink()}
    assert linked <= copied
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    assert copied == kept


def test_images_are_pinned_by_digest_and_none_gets_the_docker_socket_unasked():
    compose = (ROOT / "localstack" / "compose.yaml").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    images = [
        *re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE),
        *re.findall(r"^ +image: (\S+)", compose, re.MULTILINE),
    ]
    assert len(images) == 3
    assert all(re.fullmatch(r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images)
    [mount] = re.findall(r'- "(.*):/var/run/docker\.sock"', compose)
    assert mount == "${SQSWARM_DOCKER_SOCKET:-/dev/null}"
