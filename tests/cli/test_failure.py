import errno
import json

import pytest
import typer
from typer.testing import CliRunner

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
