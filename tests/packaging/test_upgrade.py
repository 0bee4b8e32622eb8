"""A stage of the last release, with tasks in every state, is deployed over by the code of today."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.proof, pytest.mark.localstack]

ROOT = Path(__file__).parents[2]
LAST_RELEASE = "2653caa"
"""The commit to come from: the first of 0.1.0's formats. Each release sets it to the one before."""

AGENTS = '''
from sqswarm import Fail, TaskContext, agent


@agent(topics=["notes"])
async def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@agent(max_attempts=1)
async def brittle(text: str) -> str:
    """Fails once and for all."""
    raise ValueError(text)


@agent(durability="lean")
async def light(text: str) -> str:
    """One write."""
    return text


@agent(durability="durable")
async def rests(seconds: float, *, ctx: TaskContext) -> int:
    """Takes a step, sleeps, takes another."""
    first = await ctx.step("first", lambda: 1)
    await ctx.sleep(seconds)
    return first + await ctx.step("second", lambda: 2)


@agent(durability="durable")
async def asks(*, ctx: TaskContext) -> int:
    """Waits for somebody."""
    return await ctx.ask("n", "N?", int)


@agent(durability="durable")
async def joins(*, ctx: TaskContext) -> list[int]:
    """Waits for its children."""
    return await ctx.gather(ctx.task(rests, seconds=60), ctx.task(asks))
'''


@pytest.fixture(scope="module")
def old_source(tmp_path_factory):
    """The source of the last release, as it was committed."""
    folder = tmp_path_factory.mktemp("release")
    archive = subprocess.run(
        ["git", "archive", LAST_RELEASE], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode:
        pytest.skip(f"{LAST_RELEASE} is not in this clone: {archive.stderr.decode().strip()}")
    subprocess.run(["tar", "x"], cwd=folder, input=archive.stdout, check=True)
    return folder / "src"


@pytest.fixture(scope="module")
def sqswarm(emulator, tmp_path_factory, old_source):
    """The command line in a project: today's, or with `old=True` the last release's."""
    folder = tmp_path_factory.mktemp("upgraded")
    (folder / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["upgraded_agents"]\n')
    (folder / "upgraded_agents.py").write_text(AGENTS)

    def run(*arguments, old=False, code=0):
        path = {"PYTHONPATH": str(old_source)} if old else {}
        done = subprocess.run(
            [sys.executable, "-m", "sqswarm", *arguments, "--stage", "upgraded"],
            cwd=folder,
            env={**os.environ, **path},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    where = [sys.executable, "-c", "import sqswarm.infra; print(sqswarm.infra.__file__)"]
    found = subprocess.run(
        where, env={**os.environ, "PYTHONPATH": str(old_source)}, capture_output=True, check=True
    )
    assert found.stdout.decode().startswith(str(old_source))
    yield run
    run("destroy", "--yes")


def until(look, *, timeout_s=120):
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


def test_what_a_stage_of_the_last_release_holds_goes_on_under_the_new_code(sqswarm):
    def listed(*wanted, old=False):
        return json.loads(sqswarm("list", *wanted, "--json", old=old))

    def submit(*arguments):
        return sqswarm("submit", *arguments, old=True)

    sqswarm("deploy", old=True)
    done = submit("shout", "text=done")
    failed = submit("brittle", "text=no")
    sqswarm("wait", done, "--timeout", "60", old=True)
    sqswarm("wait", failed, "--timeout", "60", old=True, code=1)
    asking, joining, resting = submit("asks"), submit("joins"), submit("rests", "seconds=60")
    until(lambda: len(listed("--status", "input_required", old=True)) == 2)
    on_the_way = [submit(agent, "text=late", "--delay", "45") for agent in ("shout", "light")]
    until(lambda: sqswarm("dlq", "brittle", "--json", old=True) != "[]")

    sqswarm("deploy")

    assert {one["taskId"] for one in listed("--all")} >= {done, failed, asking, joining, resting}
    assert "first" in sqswarm("show", resting)
    for question in json.loads(sqswarm("inbox", "--json")):
        (key,) = question["inputRequests"]
        sqswarm("answer", question["taskId"], key, "7")
    wanted = {asking: 7, joining: [3, 7], resting: 3, done: "DONE"}
    for task_id, result in [*wanted.items(), *zip(on_the_way, ("LATE", "late"), strict=True)]:
        told = json.loads(sqswarm("wait", task_id, "--timeout", "180", "--json"))
        assert told["result"]["structuredContent"] == {"result": result}
    (again,) = json.loads(sqswarm("redrive", "brittle", "--yes", "--json"))
    assert again["oldTaskId"] == failed
    sqswarm("wait", again["newTaskId"], "--timeout", "60", code=1)
