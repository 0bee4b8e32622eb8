"""What `sqswarm dev` is made of, without an AWS: where it starts, what it watches and shows."""

import json
import os
import threading
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner
from watchfiles import Change

from sqswarm.infra.cli.app import app
from sqswarm.infra.dev.deployer import Deployer
from sqswarm.infra.dev.log_line import LogLine
from sqswarm.infra.dev.screen import Screen
from sqswarm.infra.dev.watch import _Sources, saved_s_ago, saves, watched_folders
from sqswarm.infra.project import find_project
from sqswarm.infra.scaffold.create import create_project
from sqswarm.schemas.settings import Settings

runner = CliRunner()


@pytest.fixture
def project(tmp_path, monkeypatch):
    create_project(tmp_path / "demo", "jobs")
    monkeypatch.chdir(tmp_path / "demo")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path / "home"))
    return tmp_path / "demo"


@pytest.mark.parametrize(
    ("variables", "arguments", "says"),
    [
        pytest.param({"AWS_PROFILE": "mine"}, [], "or say --aws", id="aws-by-accident"),
        pytest.param({}, ["--emulator", "docker"], "run `sqswarm up` first", id="docker"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, [], "sqswarm up", id="nothing-answers"
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ["--aws"], "leave out --aws", id="no-aws"
        ),
    ],
)
def test_it_does_not_start_where_it_should_not(project, variables, arguments, says):
    result = runner.invoke(app, ["dev", *arguments], env=variables)
    assert result.exit_code in {2, 3}
    assert says in result.stderr


def test_without_watchfiles_it_says_what_to_install(project, monkeypatch):
    monkeypatch.setattr("sqswarm.infra.cli.dev.find_spec", lambda name: None)
    result = runner.invoke(app, ["dev"])
    assert result.exit_code == 2
    assert "pip install 'sqswarm[local]'" in result.stderr


def test_it_watches_each_folder_once(project):
    assert watched_folders(find_project(project)) == [project]


@pytest.mark.parametrize(
    ("path", "watched"),
    [
        ("agents/receipt.py", True),
        ("agents/prompt.txt", True),  # data of a package goes into the archive too
        ("pyproject.toml", True),
        (".venv/lib/x.py", False),
        ("agents/__pycache__/receipt.pyc", False),
        ("tests/test_unit.py", False),
        ("agents/.receipt.py.swp", False),
        ("agents/receipt.py~", False),
    ],
)
def test_it_looks_at_what_goes_into_the_archive(project, path, watched):
    assert _Sources()(Change.modified, str(project / path)) is watched


def test_a_save_is_seen_with_its_file_and_its_age(project):
    stop = threading.Event()
    file = project / "agents" / "receipt.py"
    saved = threading.Timer(0.3, lambda: file.write_text(file.read_text() + "# more\n"))
    saved.start()
    try:
        assert next(saves([project], stop)) == [file]
        assert 0 <= saved_s_ago([file, project / "gone.py"]) < 30
    finally:
        stop.set()
        saved.join()


def test_the_age_of_a_file_that_was_moved_here_is_none_of_a_save(project):
    file = project / "agents" / "receipt.py"
    os.utime(file, (1, 1))
    assert saved_s_ago([file]) is None
    assert saved_s_ago([project / "gone.py"]) is None


def test_an_agent_that_ends_the_process_is_an_error_of_its_own(project):
    (project / "agents" / "receipt.py").write_text("import os\nos._exit(3)\n")
    settings = Settings(endpoint_url="http://127.0.0.1:1", stage="dev")
    deployer = Deployer(settings=settings, modules=(), folder=project)
    try:
        outcome = deployer.deploy(step=print, live=lambda: None)
        assert "ended without a word" in outcome.error["message"]
        (project / "agents" / "receipt.py").write_text("def (\n")
        outcome = deployer.deploy(step=print, live=lambda: None)
        assert 'receipt.py", line 1' in outcome.error["message"]
    finally:
        deployer.close()


LINE = LogLine(
    at=datetime(2027, 1, 1, 12, 30, tzinfo=UTC),
    agent="receipt",
    level="error",
    text="agent.raised\n\x1b[2J",
    task_id="task-1",
)


def test_a_person_reads_lines_and_no_log_commands_the_terminal(capsys):
    screen = Screen(json=False)
    screen.agents([{"name": "receipt", "takes": ["order"], "needs": ["order"], "topics": ["o"]}])
    screen.line(LINE)
    screen.fail({"type": "X", "message": "no", "hint": "mend it"}, then="the old code goes on")
    shown = capsys.readouterr().out
    assert "receipt(order)   gets o" in shown
    assert "try: sqswarm submit receipt order=… --wait" in shown
    assert "12:30:00  receipt  agent.raised  task=task-1" in shown
    assert "\\u001b[2J" in shown
    assert "error: no\n  fix: mend it\n  the old code goes on" in shown


def test_a_program_reads_json(capsys):
    screen = Screen(json=True)
    screen.say("live", "saved", seconds=0.5)
    screen.line(LINE)
    live, line = map(json.loads, capsys.readouterr().out.splitlines())
    assert live == {"kind": "live", "text": "saved", "seconds": 0.5}
    assert (line["kind"], line["agent"], line["task_id"]) == ("log", "receipt", "task-1")


def test_agents_keep_their_colours():
    screen = Screen(json=False)
    first, second = screen.colour("a"), screen.colour("b")
    assert first != second
    assert (screen.colour("a"), screen.colour("b")) == (first, second)
