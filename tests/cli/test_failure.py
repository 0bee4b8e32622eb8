import errno
import json

import pytest
import typer
from typer.testing import CliRunner

from sqswarm.infra.cli import output
from sqswarm.infra.cli.global_options import EverywhereGroup, hoist
from sqswarm.infra.local import EmulatorError
from sqswarm.schemas.errors import (
    DeployFailed,
    InvalidArguments,
    NotDeployed,
    TaskFailed,
    TimedOut,
    Unreachable,
)

runner = CliRunner()


def app_that(raises):
    app = typer.Typer(cls=EverywhereGroup)

    @app.callback()
    def everywhere(
        *,
        json: bool = typer.Option(False, "--json"),
        debug: bool = typer.Option(False, "--debug"),
        stage: str = "",
        endpoint: str = "",
    ):
        pass

    @app.command()
    def act(number: int = 0):
        if raises is not None:
            raise raises

    return app


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(None, 0, id="done"),
        pytest.param(TaskFailed("t", {"message": "m"}), 1, id="task-failed"),
        pytest.param(DeployFailed("m"), 1, id="deploy-failed"),
        pytest.param(InvalidArguments("m"), 2, id="wrong-usage"),
        pytest.param(Unreachable("m"), 3, id="unreachable"),
        pytest.param(NotDeployed("m"), 3, id="not-deployed"),
        pytest.param(EmulatorError("m", hint="h"), 3, id="emulator"),
        pytest.param(TimedOut("m"), 4, id="timed-out"),
        pytest.param(KeyboardInterrupt(), 130, id="interrupted"),
        pytest.param(RuntimeError("boom"), 1, id="unforeseen"),
        pytest.param(typer.Exit(7), 7, id="exit"),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    assert runner.invoke(app_that(error), ["act"]).exit_code == code


def test_an_error_is_two_lines_and_no_traceback():
    result = runner.invoke(app_that(NotDeployed("no swarm here", hint="Deploy it.")), ["act"])
    assert result.stderr == "error: no swarm here\n  fix: Deploy it.\n"
    assert result.stdout == ""


def test_a_full_disk_says_what_to_do():
    error = OSError(errno.ENOSPC, "No space left on device", "/tmp/x")
    result = runner.invoke(app_that(error), ["act"])
    assert "No space left on device: '/tmp/x'\n  fix: Make room" in result.stderr


def test_with_json_the_error_is_json_on_stderr():
    result = runner.invoke(app_that(TimedOut("too slow", hint="Wait.")), ["act", "--json"])
    told = {"type": "TimedOut", "message": "too slow", "hint": "Wait."}
    assert json.loads(result.stderr) == {"error": told}
    assert result.stdout == ""


def test_ctrl_c_is_answered_in_words():
    result = runner.invoke(app_that(KeyboardInterrupt()), ["act"])
    assert result.stderr.startswith("error: interrupted\n  fix: Tasks that were submitted go on")


def test_debug_shows_the_traceback():
    result = runner.invoke(app_that(RuntimeError("boom")), ["act", "--debug"])
    assert "Traceback" in result.stderr
    assert "Traceback" not in runner.invoke(app_that(RuntimeError("boom")), ["act"]).stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["act", "--nonsense"], ["act", "--number", "x"]], ids=str
)
def test_wrong_usage_ends_with_two_and_a_hint(arguments):
    result = runner.invoke(app_that(None), arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "  fix: See `sqswarm --help`" in result.stderr


@pytest.mark.parametrize(
    ("given", "hoisted"),
    [
        pytest.param(["get", "1", "--json"], ["--json", "get", "1"], id="flag"),
        pytest.param(
            ["get", "1", "--stage", "x"], ["--stage", "x", "get", "1"], id="option-with-value"
        ),
        pytest.param(["get", "--stage=x"], ["--stage=x", "get"], id="option-with-sign"),
        pytest.param(["submit", "--", "--json"], ["submit", "--", "--json"], id="after-dashes"),
        pytest.param(["get", "--stage"], ["get", "--stage"], id="value-missing"),
    ],
)
def test_options_may_stand_anywhere(given, hoisted):
    assert hoist(given) == hoisted


ATTACKS = [
    pytest.param("\x1b[2J\x1b[31m", "\\u001b[2J\\u001b[31m", id="clear-and-colour"),
    pytest.param(
        "\x1b]8;;https://bad.example\x07here",
        "\\u001b]8;;https://bad.example\\u0007here",
        id="osc-8",
    ),
    pytest.param("\x9b2J", "\\u009b2J", id="c1"),
    pytest.param("paid\rdue ", "paid\\u000ddue ", id="carriage-return"),
    pytest.param("abc\b\b\b\x7f", "abc\\u0008\\u0008\\u0008\\u007f", id="backspace"),
    pytest.param("\u202egnp.exe", "\\u202egnp.exe", id="bidi-override"),
    pytest.param("\u2066a\u2069\u200f", "\\u2066a\\u2069\\u200f", id="bidi-isolates"),
    pytest.param("a\u2028b", "a\\u2028b", id="line-separator"),
    pytest.param("\ud800", "\\ud800", id="half-a-character"),
]


@pytest.mark.parametrize(("text", "shown"), ATTACKS)
def test_lines_tables_and_errors_show_it(text, shown, capsys):
    output.print_line(f"a {text} b")
    output.print_table(["agent"], [[text]])
    output.note(text)
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == f"a {shown} b"
    assert told.out.count(shown) == 2
    assert told.err == f"{shown}\n"
    for arguments in (["act"], ["act", "--debug"]):
        error = runner.invoke(app_that(DeployFailed(text, hint=text)), arguments).stderr
        assert text not in error
        assert f"error: {shown}" in error
        assert f"fix: {shown}" in error


@pytest.mark.parametrize(("text", "shown"), ATTACKS)
def test_json_shows_it_and_means_it(text, shown, capsys):
    output.print_json({"a": text})
    output.print_json_line({"a": text})
    told = capsys.readouterr().out
    document, _, line = told.rpartition('\n{"a"')
    assert text not in told
    assert json.loads(document) == json.loads('{"a"' + line) == {"a": text}
    error = runner.invoke(app_that(DeployFailed(text)), ["act", "--json"]).stderr
    assert text not in error
    assert json.loads(error)["error"]["message"] == text


def test_what_people_write_stays(capsys):
    text = "Grüße,\t日本 👩‍🚀\nund עברית"
    output.print_line(text)
    assert capsys.readouterr().out == f"{text}\n"
