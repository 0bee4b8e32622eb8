"""`sqswarm init`: where it writes, and where it does not."""

import json

import pytest
from typer.testing import CliRunner

from sqswarm.infra.cli.app import app
from sqswarm.infra.project import find_project
from sqswarm.infra.scaffold.create import ABOUT, TEMPLATES, project_name

runner = CliRunner()


@pytest.fixture
def init(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: runner.invoke(app, ["init", *arguments])


def test_it_makes_a_project_and_says_what_comes_next(init, tmp_path):
    result = init("demo")
    assert result.exit_code == 0, result.stderr
    assert "cd demo" in result.stdout
    assert "sqswarm dev" in result.stdout
    assert find_project(tmp_path / "demo").modules == ("agents.keywords", "agents.archive")


def test_it_tells_a_machine_what_it_wrote(init, tmp_path):
    told = json.loads(init("demo", "--template", "jobs", "--json").stdout)
    assert told["folder"] == str(tmp_path / "demo")
    written = {p.relative_to(tmp_path / "demo").as_posix() for p in (tmp_path / "demo").rglob("*")}
    assert {*told["files"]} <= written
    assert ".gitignore" in told["files"]
    assert ".github/workflows/ci.yml" in told["files"]


def test_without_a_folder_it_takes_this_one_and_no_second_time(init, tmp_path):
    assert init().exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = init("--template", "jobs")
    assert again.exit_code == 2
    assert "this folder is not empty: it holds .github, .gitignore, Makefile and 4 more" in (
        again.stderr
    )
    assert "fix: Name a new folder" in again.stderr
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_a_fresh_repository_is_empty_enough(init, tmp_path):
    (tmp_path / ".git").mkdir()
    assert init().exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["demo", "--template", "lambda"], "no template 'lambda'", id="template"),
        pytest.param(["taken"], "taken is a file", id="file"),
    ],
)
def test_what_cannot_be_made_is_told_and_nothing_written(init, tmp_path, arguments, says):
    (tmp_path / "taken").write_text("")
    result = init(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("folder", "name"), [("My Project", "my-project"), ("été_2", "t-2"), ("日本", "my-swarm")]
)
def test_a_project_is_called_as_packages_may_be(tmp_path, folder, name):
    assert project_name(tmp_path / folder) == name


def test_every_template_says_what_it_is():
    assert ABOUT.keys() == {*TEMPLATES}
