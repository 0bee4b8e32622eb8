"""`sqswarm env`: how any tool reaches the local AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from sqswarm.infra.cli.app import app

runner = CliRunner()
ASK = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"


@pytest.mark.localstack
def test_a_shell_that_evaluates_it_reaches_the_emulator(emulator):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    path = f"{Path(sys.executable).parent}:{inherited['PATH']}"
    script = f'eval "$(sqswarm env --account 111111111111)" && python -c "{ASK}"'
    done = subprocess.run(
        ["bash", "-euc", script],
        env={**inherited, "PATH": path, "AWS_ACCESS_KEY_ID": "stale", "AWS_SESSION_TOKEN": "stale"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "111111111111\n", done.stderr


@pytest.mark.localstack
def test_machines_get_the_same_as_json(emulator):
    variables = json.loads(runner.invoke(app, ["env", "--json"]).stdout)
    assert variables["AWS_ENDPOINT_URL"] == emulator.endpoint_url
    assert variables["AWS_ACCESS_KEY_ID"] == emulator.access_key_id
    lines = runner.invoke(app, ["env", "--port", str(emulator.port)]).stdout.splitlines()
    assert lines == [f"export {name}={value}" for name, value in variables.items()]


@pytest.mark.localstack
def test_a_profile_reaches_the_emulator(emulator, tmp_path, monkeypatch):
    config = tmp_path / "config"
    config.write_text(runner.invoke(app, ["env", "--profile"]).stdout)
    assert emulator.secret not in config.read_text()
    for name in [name for name in os.environ if name.startswith(("AWS_", "SQSWARM_HOME"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    sts = boto3.Session(profile_name="sqswarm").client("sts")
    assert sts.get_caller_identity()["Account"] == "000000000000"


def test_where_nothing_runs_it_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path))
    result = runner.invoke(app, ["env"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "sqswarm up" in result.stderr


@pytest.mark.parametrize("account", ["123", "1" * 13, "\uff11" * 12, "111111111111\n"])
def test_an_account_is_twelve_digits(account):
    result = runner.invoke(app, ["env", "--account", account])
    assert result.exit_code == 2
    assert "twelve digits" in result.stderr


@pytest.mark.localstack
def test_an_emulator_of_another_home_is_refused_with_the_fix(emulator, tmp_path, monkeypatch):
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code != 0
    assert "sqswarm env" in result.stdout
    assert emulator.secret not in result.stdout
