"""Shell completion: names that are there, in under a second, and never a call to AWS."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest
import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.seen_names import SeenNames, names_of_stage, remember_names, stages_seen
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.settings import Settings
from sqswarm.workers.agent import agent

AT_AWS = Settings.from_env({"AWS_REGION": "eu-north-1", "SQSWARM_STAGE": "prod"})


@agent(topics=["notes", "mails"])
def shout(text: str, times: int = 1) -> str: ...


@agent
def shrink(text: str) -> str: ...


SCRIPT = "import sys; sys.argv = ['sqswarm']; from sqswarm.infra.cli.app import main; main()"
DEPLOYED = Catalogue.of([shout.spec, shrink.spec]).agents.values()


def complete(words, env):
    """What the shell gets for a line."""
    line = ["sqswarm", *words]
    told = {
        "PATH": os.environ["PATH"],
        "HOME": env["SQSWARM_HOME"],
        "_SQSWARM_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
        **env,
    }
    command = [sys.executable, "-c", SCRIPT]
    run = subprocess.run(command, env=told, capture_output=True, text=True, check=False, timeout=60)
    assert run.stderr == ""
    return run.stdout.split()


@pytest.fixture
def home(tmp_path):
    env = {"SQSWARM_HOME": str(tmp_path)}
    remember_names(DEPLOYED, AT_AWS, env)
    return env


@pytest.fixture
def nobody():
    """A port where connections are made and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        met = []

        def listen():
            while True:
                try:
                    met.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", met
        for connection, _ in met:
            connection.close()


def test_what_a_stage_has_is_kept_once_and_found_again(tmp_path):
    env = {"SQSWARM_HOME": str(tmp_path)}
    assert names_of_stage(AT_AWS, env) == SeenNames()
    remember_names(DEPLOYED, AT_AWS, env)
    kept = names_of_stage(AT_AWS, env)
    assert kept.agents == {"shout": ["text", "times"], "shrink": ["text"]}
    assert kept.topics == ["mails", "notes"]
    written = (tmp_path / "names.json").stat().st_mtime_ns
    remember_names(DEPLOYED, AT_AWS, env)
    assert (tmp_path / "names.json").stat().st_mtime_ns == written
    assert stages_seen(env) == ["prod"]
    assert [path.name for path in tmp_path.iterdir()] == ["names.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"prod": 1}'])
def test_a_file_that_is_no_use_is_no_error(tmp_path, text):
    (tmp_path / "names.json").write_text(text)
    assert names_of_stage(AT_AWS, {"SQSWARM_HOME": str(tmp_path)}) == SeenNames()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(["submit", "sh"], ["shout", "shrink"], id="agents"),
        pytest.param(["submit", "shou"], ["shout"], id="one-agent"),
        pytest.param(["submit", "shout", ""], ["text=", "times="], id="its-arguments"),
        pytest.param(["publish", "n"], ["notes"], id="topics"),
        pytest.param(["list", "--agent", "shr"], ["shrink"], id="an-option"),
        pytest.param(["list", "--status", "c"], ["completed", "cancelled"], id="statuses"),
        pytest.param(["--stage", "p"], ["prod"], id="stages"),
        pytest.param(["get", ""], [], id="no-tasks-from-aws"),
        pytest.param(["--stage", "other", "submit", ""], [], id="a-stage-that-was-never-met"),
    ],
)
def test_of_aws_is_offered_what_was_seen_there_and_nobody_is_asked(home, nobody, words, offered):
    proxy, met = nobody
    env = {
        **home,
        "AWS_REGION": "eu-north-1",
        "AWS_PROFILE": "",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "HTTPS_PROXY": proxy,  # every call to AWS would come by here
        "HTTP_PROXY": proxy,
        **({} if "--stage" in words else {"SQSWARM_STAGE": "prod"}),
    }
    assert complete(words, env) == offered
    assert met == []


def test_an_emulator_that_says_nothing_holds_up_no_key_press(monkeypatch, nobody, home):
    endpoint, met = nobody
    monkeypatch.setenv("SQSWARM_HOME", home["SQSWARM_HOME"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    remember_names(DEPLOYED, Settings.from_env(os.environ), os.environ)
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    begun = time.monotonic()
    assert completion.agents(context, "shr") == [("shrink", "")]  # as it was last seen
    assert completion.tasks(context, "") == []
    assert time.monotonic() - begun < 2 * completion.PATIENCE_S + 1
    assert met


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense", "http://[::"])
def test_errors_are_silent(home, endpoint):
    assert complete(["submit", "sh"], {**home, "AWS_ENDPOINT_URL": endpoint}) == []


def test_a_call_that_hangs_keeps_the_shell_from_nothing(home, nobody):
    endpoint, met = nobody
    begun = time.monotonic()
    assert complete(["get", ""], {**home, "AWS_ENDPOINT_URL": endpoint}) == []
    assert met
    assert time.monotonic() - begun < 30  # the SDK would wait for a minute, and try again
