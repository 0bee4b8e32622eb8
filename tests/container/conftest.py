"""A swarm whose agents run in containers: deployed once, worked for by processes of the tests."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CREW = Path(__file__).parent / "crew"
STAGE = "crew"
GOODBYE_S = 10
"""Longer than a long poll of the worker, shorter than its grace."""


@pytest.fixture(scope="session")
def settings(emulator):
    """Deploy the crew; return the settings of its stage."""
    from dataclasses import replace

    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    project = find_project(CREW)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CREW))
        named = replace(settings_from_environment(), stage=STAGE)
        deploy(named, plan(project, stage=STAGE), Reports())
        yield named


@pytest.fixture(scope="session")
def swarm(settings):
    from sqswarm import Swarm

    with Swarm.connect(settings, operator=True) as connected:
        yield connected


@pytest.fixture(scope="session")
def aws(settings):
    from sqswarm.backends.aws.connect import client_factory

    return client_factory(settings)


@pytest.fixture
def queue_url(aws):
    def url(agent, suffix=""):
        return aws("sqs").get_queue_url(QueueName=f"sqswarm-{STAGE}-{agent}{suffix}")["QueueUrl"]

    return url


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes"
    path.touch()
    return path


class Worker:
    """One `sqswarm work` process and what it has logged."""

    def __init__(self, *words, log):
        self.log = log
        command = [Path(sys.executable).with_name("sqswarm"), "--stage", STAGE, "work", *words]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                cwd=CREW,
                env=dict(os.environ),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.wait_for("worker.started")

    def events(self):
        lines = self.log.read_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if "event" in line]  # its metrics are lines too

    def wait_for(self, event, *, timeout_s=120):
        ends = time.monotonic() + timeout_s
        while not any(e["event"] == event for e in self.events()):
            assert time.monotonic() < ends, f"no {event}: {self.log.read_text()}"
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)

    def stop(self, number=signal.SIGTERM, *, timeout_s=120):
        self.process.send_signal(number)
        return self.process.wait(timeout_s)


@pytest.fixture
def start(tmp_path, settings):
    """Start workers, and stop whoever is left.

    Politely: the long poll of a killed one lives on in the emulator and swallows a message that
    the next test waits for.
    """
    made = []

    def begin(*words):
        made.append(Worker(*words, log=tmp_path / f"worker-{len(made)}.log"))
        return made[-1]

    yield begin
    for worker in made:
        worker.process.terminate()
    for worker in made:
        try:
            worker.process.wait(timeout=GOODBYE_S)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


@pytest.fixture
def soon(notes):
    """Wait until a line of the notes starts with a word; return such lines."""

    def find(word, *, number=1, timeout_s=120):
        ends = time.monotonic() + timeout_s
        while True:
            found = [x for x in notes.read_text().splitlines() if x.startswith(word)]
            if len(found) >= number:
                return found
            assert time.monotonic() < ends, f"{len(found)} of {number} {word!r}"
            time.sleep(0.05)

    return find


@pytest.fixture
def cli_in_crew():
    """Run one command of the command line in the crew's folder."""

    def run(*words):
        command = [str(Path(sys.executable).with_name("sqswarm")), "--json", *words]
        return subprocess.run(
            command, cwd=CREW, capture_output=True, text=True, timeout=180, check=False
        )

    return run
