"""`sqswarm` without a verb, and what the doctor says of a machine."""

import json
import socket

import pytest
from typer.testing import CliRunner

from sqswarm.infra.cli import machine_checks
from sqswarm.infra.cli.app import app
from sqswarm.infra.cli.checks import examine
from sqswarm.infra.cli.machine_checks import clock_finding, python_finding
from sqswarm.infra.cli.session import Session
from sqswarm.infra.local.isolated import free_port
from sqswarm.infra.scaffold.create import create_project

runner = CliRunner()


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder of somebody who has nothing running and chose no AWS."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "SQSWARM_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_with_nothing_there_a_project_is_what_comes_next(here):
    told = runner.invoke(app, [])
    assert told.exit_code == 0, told.stderr
    assert "not running" in told.stdout
    assert "none in this folder" in told.stdout
    assert "sqswarm init demo" in told.stdout
    assert "--help" in told.stdout


def test_in_a_project_dev_is_what_comes_next(here):
    create_project(here, "jobs")
    told = json.loads(runner.invoke(app, ["--json"]).stdout)
    assert told["project"] == str(here)
    assert told["localAws"] is None
    assert told["next"] == ["sqswarm dev", "sqswarm up"]


def test_where_aws_is_chosen_nobody_is_asked(here, monkeypatch):
    create_project(here, "jobs")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    told = json.loads(runner.invoke(app, ["--json"]).stdout)
    assert told["aws"].startswith("AWS, ")
    assert told["agents"] is None
    assert told["next"] == ["sqswarm deploy"]


def test_a_project_that_cannot_be_read_says_what_to_mend(here):
    (here / "pyproject.toml").write_text("[tool.sqswarm]\nagent = ['x']\n")
    told = runner.invoke(app, [])
    assert "has no setting 'agent'" in told.stdout
    assert "fix: It has agents" in told.stdout


def found(what):
    return next(one for one in examine(Session(json=True), ()) if one.what == what)


def test_the_doctor_says_where_a_project_comes_from(here):
    finding = found("agents here")
    assert finding.verdict == "warn"
    assert "sqswarm init" in finding.fix


def test_the_doctor_names_a_port_that_is_taken(here, monkeypatch):
    port = free_port()
    monkeypatch.setattr("sqswarm.infra.cli.checks._PORT", port)
    assert "not running" in found("local AWS").found
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        finding = found("local AWS")
    assert f"another program has its port {port}" in finding.found
    assert f"--port {port + 4}" in finding.fix


def test_the_doctor_names_what_an_extra_lacks(here, monkeypatch):
    assert found("extra 'local'").verdict == "ok"
    monkeypatch.setattr(machine_checks, "find_spec", lambda name: None)
    finding = found("extra 'local'")
    assert "watchfiles" in finding.found
    assert "pip install 'sqswarm[local]'" in finding.fix


@pytest.mark.parametrize(
    ("version", "verdict"),
    [((3, 10, 9), "fail"), ((3, 11, 0), "ok"), ((3, 13, 4), "ok"), ((3, 14, 0), "warn")],
)
def test_the_doctor_knows_which_pythons_work(version, verdict):
    finding = python_finding(version)
    assert finding.verdict == verdict
    assert (finding.fix is None) is (verdict == "ok")


@pytest.mark.parametrize(
    ("off_s", "verdict", "says"),
    [(2, "ok", "agrees"), (-90, "warn", "90 s behind"), (301, "fail", "301 s ahead of")],
)
def test_the_doctor_knows_how_wrong_a_clock_may_be(off_s, verdict, says):
    finding = clock_finding(off_s)
    assert finding.verdict == verdict
    assert says in finding.found


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("d", {"dev", "deploy", "down", "doctor"}), ("ini", {"init"})],
)
def test_the_shell_completes_verbs(typed, offered):
    asked = {"_SQSWARM_COMPLETE": "complete_bash", "COMP_WORDS": f"sqswarm {typed}"}
    told = runner.invoke(app, [], prog_name="sqswarm", env={**asked, "COMP_CWORD": "1"})
    assert offered <= {*told.stdout.split()}
    assert all(verb.startswith(typed) for verb in told.stdout.split())
