"""Redrive from a step at the command line, against a real swarm; a bulk one is killed half-way."""

import signal
import subprocess
import sys
import time

import pytest
from project_cli import deployed_project

from sqswarm import Swarm
from sqswarm.schemas.settings import Settings

pytestmark = pytest.mark.localstack

AGENTS = '''
from uuid import uuid4

from sqswarm import TaskContext, agent


def drawn() -> str:
    return uuid4().hex


def large() -> str:
    return uuid4().hex * 5000


@agent(max_attempts=1)
async def part(n: int) -> str:
    """Returns another each time."""
    return f"{n} {drawn()}"


@agent(max_attempts=1, calls=["part"])
async def report(topic: str, broken: bool = True, *, ctx: TaskContext) -> list[str]:
    """Draws, calls, and writes."""

    def write() -> str:
        if broken:
            raise OSError("the disk is full")
        return topic

    drew = await ctx.step("draw", drawn)
    size = await ctx.step("large", large)
    parts = await ctx.gather(*(ctx.task("part", n=n) for n in range(2)))
    return [drew, size[:32], *parts, await ctx.step("write", write)]


@agent(max_attempts=1)
async def brittle(n: int, broken: bool = True, *, ctx: TaskContext) -> str:
    """Breaks in two ways."""
    drew = await ctx.step("draw", drawn)
    if broken:
        raise (ValueError if n % 3 == 0 else KeyError)("broken")
    return drew
'''
FAILED = 60


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("again"), "again", AGENTS) as run:
        yield run


@pytest.fixture
def swarm(emulator):
    settings = Settings(stage="again", endpoint_url=emulator.endpoint_url)
    with Swarm.connect(settings, operator=True) as connected:
        yield connected


def drew(cli, task_id, name="draw#0"):
    """Return what a task's step is recorded to have drawn."""
    steps = cli.json("show", task_id, "--journal")["steps"]
    return next(one["outcome"] for one in steps if one["sk"] == f"step#{name}")


def test_a_task_goes_on_from_the_step_that_failed_with_other_arguments(cli, swarm):
    old = swarm.submit("report", topic="sun")
    for _ in swarm.wait([old], timeout=180):
        pass
    assert cli.json("get", old.id)["failedSteps"] == ["write#0"]
    no = cli("redrive", old.id, "--from", "publish", code=2)
    assert "'draw', 'large', 'part', 'part#2', 'write'" in no.stderr
    told = cli("redrive", old.id, "--from", "write", "--set", "broken=false")
    assert "what was recorded before 'write' keeps its old outcomes" in told.stderr
    [one] = cli.json("redrive", old.id, "--from", "write", "--set", "broken=false")
    new = swarm.task(one["newTaskId"])
    got = new.result(timeout=180)
    assert got[4] == "sun"
    assert got[0] in drew(cli, old.id)
    children = [s for s in swarm.timeline(old.id).spans if s.kind == "child"]
    assert got[2:4] == [swarm.get(child.task_id).result() for child in children]
    shown = cli("show", new.id).stdout
    assert f"redriven from {old.id}, from 'write', with 2 steps, 2 children" in shown
    assert f"redriven as {new.id}" in cli("show", old.id).stdout
    assert cli("redrive", old.id, "--from", "draw", code=2).stderr.count(new.id) == 2


def redriven(swarm, ids):
    return {task_id: swarm.get(task_id).record.redriven_as for task_id in ids}


@pytest.mark.proof
def test_a_bulk_redrive_whose_process_is_killed_goes_on_where_it_was(cli, swarm, emulator):
    tasks = [swarm.submit("brittle", n=n) for n in range(FAILED)]
    for _ in swarm.wait(tasks, timeout=180):
        pass
    mine = [task.id for n, task in enumerate(tasks) if n % 3]
    command = [
        *(sys.executable, "-m", "sqswarm", "redrive", "brittle", "--error-type", "KeyError"),
        *("--from", "end", "--set", "broken=false", "--stage", "again", "--yes"),
    ]
    slowly = subprocess.Popen([*command, "--rate", "10"], stdout=subprocess.PIPE, text=True)
    for _ in range(len(mine) // 2):
        assert slowly.stdout.readline()
    slowly.send_signal(signal.SIGKILL)
    slowly.communicate()
    before = {old: new for old, new in redriven(swarm, mine).items() if new}
    assert 0 < len(before) < len(mine)
    subprocess.run(command, check=True, capture_output=True)
    links = redriven(swarm, mine)
    assert None not in links.values()
    assert before.items() <= links.items()
    ends = time.monotonic() + 240
    for old, new in links.items():
        result = swarm.task(new).result(timeout=ends - time.monotonic())
        assert result in drew(cli, old)
    made = [one for one in swarm.list(agent="brittle", limit=1000) if one.record.redriven_from]
    assert sorted(one.record.redriven_from for one in made) == sorted(mine)
    assert "there are no such failed tasks" in cli(*command[3:-3]).stdout
