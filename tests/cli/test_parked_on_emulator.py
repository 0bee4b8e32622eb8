"""Real deployments in the middle of what waits: nothing ends, all goes on with code that fits."""

import json
import sys
import time

import pytest
from typer.testing import CliRunner

from sqswarm import Swarm
from sqswarm.infra.cli.app import app
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.settings import Settings

pytestmark = [pytest.mark.localstack, pytest.mark.timeout(1800)]

STAGE = "parked"
AGENTS = '''
from sqswarm import TaskContext, agent


def do(what: str) -> str:
    return what


@agent(durability="durable", calls=[])
async def child(*, ctx: TaskContext) -> str:
    """Waits for somebody."""
    return await ctx.ask("go", "Go on?", str)


@agent(durability="durable", calls=["child"])
async def work(how: str, *, ctx: TaskContext) -> str:
    """Does two things, and waits in between."""
%s


async def wait(how: str, ctx: TaskContext) -> None:
    if how == "asleep":
        await ctx.sleep(SLEEP_S)
    elif how == "asking":
        await ctx.ask("go", "Go on?", str)
    else:
        await ctx.call("child")
'''
FIRST = """
    a = await ctx.step("a", do, "a")
    await wait(how, ctx)
    return a + await ctx.step("b", do, "b")
"""
SWAPPED = """
    b = await ctx.step("b", do, "b")
    await wait(how, ctx)
    return await ctx.step("a", do, "a") + b
"""
PATCHED = """
    if ctx.patched("b first"):
        b = await ctx.step("b", do, "b")
        await wait(how, ctx)
        return await ctx.step("a", do, "a") + b
    a = await ctx.step("a", do, "a")
    await wait(how, ctx)
    return a + await ctx.step("b", do, "b")
"""
HOWS = ("asleep", "asking", "children")


class Project:
    """A project whose agent is written anew before each deployment."""

    def __init__(self, folder, swarm, sleep_s=45):
        self._folder, self._runner = folder, CliRunner()
        self.swarm, self.sleep_s = swarm, sleep_s

    def run(self, *arguments, code=0):
        result = self._runner.invoke(app, [*arguments, "--stage", STAGE, "--json"])
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def deploy(self, body, *options, code=0):
        text = (AGENTS % body).replace("SLEEP_S", str(self.sleep_s))
        (self._folder / "parked_agents.py").write_text(text)
        sys.modules.pop("parked_agents", None)
        return self.run("deploy", *options, code=code)

    def listed(self, status):
        found, cursor = [], None
        while True:
            page = self.swarm.list(status=status, agent="work", limit=100, cursor=cursor)
            found += page
            cursor = page.cursor
            if cursor is None:
                return found

    def answer_all(self):
        for agent in ("work", "child"):
            while page := self.swarm.inbox(agent=agent, limit=100):
                for view in page:
                    self.swarm.answer(view.id, "go", "yes")


def until(true, *, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def project(emulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parked")
    (folder / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["parked_agents"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("SQSWARM_STAGE", STAGE)
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        settings = Settings(stage=STAGE, endpoint_url=emulator.endpoint_url)
        first = Project(folder, None)
        first.deploy(FIRST)
        with Swarm.connect(settings, operator=True) as swarm:
            yield Project(folder, swarm)
        first.run("destroy")
        sys.modules.pop("parked_agents", None)


def begin(project, number):
    """Submit tasks that wait in each of the ways, and see that they do."""
    tasks = [project.swarm.submit("work", how=HOWS[n % len(HOWS)]) for n in range(number)]
    left = {task.id for task in tasks}

    def all_wait():
        for task_id in list(left):
            record = project.swarm.get(task_id).record
            if record.asks or record.pending or record.wake_at_ms:
                left.discard(task_id)
        return not left

    until(all_wait, timeout_s=60 + number)
    return tasks


def everything_parked(project, tasks):
    """Let all waits be over, and see that nothing ends and all of it is parked and shown."""
    number = len(tasks)

    def found():
        project.answer_all()
        parked = project.listed("parked")
        return parked if len(parked) == number else None

    parked = until(found, timeout_s=180 + 2 * number)
    assert {view.id for view in parked} == {task.id for task in tasks}
    for view in parked:
        assert view.status is Status.WORKING
        assert view.record.parked_now["recorded"] == "step a#0"
    shown = json.loads(project.run("list", "--status", "parked", "--agent", "work").stdout)
    assert shown[0]["parked"]["place"] == 1


@pytest.mark.parametrize(
    ("number", "then"),
    [
        pytest.param(9, PATCHED, id="some-go-on"),
        pytest.param(99, FIRST, id="many-go-back", marks=pytest.mark.proof),
        pytest.param(999, PATCHED, id="a-thousand-go-on", marks=pytest.mark.proof),
    ],
)
def test_a_forced_deployment_ends_nothing_and_going_back_or_on_completes_all(project, number, then):
    project.sleep_s = 20 + number // 6
    project.deploy(FIRST, "--force")
    tasks = begin(project, number)
    refused = json.loads(project.deploy(SWAPPED, code=1).stderr)["error"]
    assert refused["type"] == "UnfitCode"
    assert "operation 1 is 'step b#0', where 'step a#0' is recorded" in refused["message"]
    assert any(task.id in refused["message"] for task in tasks)
    assert "ctx.patched" in refused["hint"]
    assert "--force" in refused["hint"]
    project.deploy(SWAPPED, "--force")
    everything_parked(project, tasks)
    told = json.loads(project.deploy(then).stdout)
    assert any("parked tasks go on" in note for note in told["notes"]), told
    for task in tasks:
        assert task.result(timeout=180 + number) == "ab"
    assert not project.listed("parked")
    if then is PATCHED:
        [new] = begin(project, 1)
        assert new.result(timeout=180 + number) == "ab"
