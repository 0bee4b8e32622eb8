"""`sqswarm dev` as somebody at a terminal has it: a process, its lines, a file that is saved."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from slowness import slowness

from sqswarm import Swarm
from sqswarm.backends.aws.connect import settings_from_environment

pytestmark = pytest.mark.localstack

AGENTS = '''
import time

from sqswarm import agent


@agent(timeout=30, concurrency=4)
def slow(number: int) -> str:
    """Take a moment."""
    print(f"slow {number}")
    time.sleep(0.2)
    return f"v1 {number}"


@agent(timeout=30)
async def quick(number: int) -> str:
    """Take none."""
    return f"v1 {number}"
'''


class Dev:
    """A run of `sqswarm dev --json`; `wait` reads on to an event."""

    def __init__(self, folder):
        self.file = folder / "dev_agents.py"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sqswarm", "dev", "--json", "--stage", "dev-test"],
            cwd=folder,
            env={**os.environ, "SQSWARM_STAGE": "dev-test"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.seen = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)

    def wait(self, wanted, *, timeout_s=120):
        ends = time.monotonic() + timeout_s
        while time.monotonic() < ends:
            try:
                line = self._lines.get(timeout=1)
            except queue.Empty:
                continue
            self.seen.append(line)
            event = json.loads(line)
            if event["kind"] == "error" and wanted != "error":
                break
            if wanted(event) if callable(wanted) else event["kind"] == wanted:
                return event
        pytest.fail(f"no {wanted} in {''.join(self.seen)}")

    def save(self, old, new):
        self.file.write_text(self.file.read_text().replace(old, new))

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)
        self.process.stdout.close()
        return self.process.returncode


@pytest.fixture
def dev(emulator, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["dev_agents"]\n')
    (tmp_path / "dev_agents.py").write_text(AGENTS)
    started = Dev(tmp_path)
    try:
        started.wait("watching")
        yield started
    finally:
        started.end()


@pytest.fixture
def stage(dev, monkeypatch):
    monkeypatch.setenv("SQSWARM_STAGE", "dev-test")
    with Swarm.connect(settings_from_environment()) as connected:
        yield connected


def test_a_save_is_live_and_a_broken_one_leaves_the_old_code(dev, stage):
    assert stage.submit("quick", number=1).result(timeout=60) == "v1 1"

    dev.save("v1", "v2")
    assert dev.wait("live")["what"] == "code"
    assert stage.submit("quick", number=2).result(timeout=60) == "v2 2"

    dev.save("async def quick", "async def quick(")
    error = dev.wait("error")
    assert "dev_agents.py" in error["message"]
    assert "line 16" in error["message"]
    assert "Mend the line" in error["hint"]
    assert stage.submit("quick", number=3).result(timeout=60) == "v2 3"

    dev.save("async def quick(", "async def quick")
    dev.wait("unchanged")  # it is what runs
    dev.save("def quick(number: int)", "def quick(number: int, times: int = 2)")
    dev.save("v2 {number}", "v3 {number * times}")
    dev.wait("live")
    while stage.submit("quick", number=2).result(timeout=60) != "v3 4":
        dev.wait("live")  # two saves may be two reloads


def test_what_agents_print_is_shown_under_their_name(dev, stage):
    stage.submit("slow", number=7).result(timeout=60)
    shown = dev.wait(lambda event: event.get("text") == "slow 7")
    assert (shown["kind"], shown["agent"]) == ("log", "slow")


def test_it_ends_at_once_and_leaves_no_process(dev):
    children = psutil.Process(dev.process.pid).children(recursive=True)
    assert children  # one stands by
    assert dev.end() == 0
    assert not [child for child in children if child.is_running()]


@pytest.mark.proof
def test_a_save_while_a_hundred_tasks_run_loses_none(dev, stage):
    tasks = [stage.submit("slow", number=number) for number in range(100)]
    for version in (2, 3, 4):
        dev.save(f"v{version - 1}", f"v{version}")
        dev.wait("live")
    tasks += [stage.submit("slow", number=100)]
    results = [task.result(timeout=300) for task in tasks]
    assert [result.split()[1] for result in results] == [str(number) for number in range(101)]
    assert results[-1] == "v4 100"  # what begins after the save has the new code
    assert {result.split()[0] for result in results} <= {"v1", "v2", "v3", "v4"}


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_new_code_is_live_within_a_second_of_the_save(dev, stage):
    seconds = []
    for version in range(2, 5):
        time.sleep(2 * slowness())  # whoever saves has written something in between
        before = slowness()
        dev.save(f"v{version - 1}", f"v{version}")
        took = dev.wait("live")["seconds"]
        assert stage.submit("quick", number=1).result(timeout=60) == f"v{version} 1"
        seconds.append(took / max(before, slowness()))
    assert sorted(seconds)[len(seconds) // 2] < 1.0, seconds
