"""Versions for real: old tasks finish on old code, a failing canary is taken back."""

import json
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from sqswarm import Swarm
from sqswarm.backends.aws.connect import client_factory
from sqswarm.infra.cli.app import app
from sqswarm.schemas.settings import Settings

pytestmark = [pytest.mark.localstack, pytest.mark.proof, pytest.mark.timeout(900)]

STAGE = "kept"
FUNCTION = "sqswarm-kept-work"
AGENTS = '''
from sqswarm import TaskContext, agent


def do(what: str) -> str:
    return what


@agent(calls=[], max_attempts=5)
async def work(seconds: float = 0.0, *, ctx: TaskContext) -> str:
    """Does a thing of its version, waits, and does another."""
    a = await ctx.step("%(name)s", do, "%(name)s")
    if seconds:
        await ctx.sleep(seconds)
    %(then)s
'''
DONE = 'return a + await ctx.step("then %(name)s", do, "%(name)s")'


class Project:
    """A project whose agent is written anew before each deployment."""

    def __init__(self, folder, settings):
        self._folder, self._runner, self.settings = folder, CliRunner(), settings
        self._lambda = client_factory(settings)("lambda")

    def run(self, *arguments, code=0):
        result = self._runner.invoke(app, [*arguments, "--stage", STAGE, "--json"])
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def deploy(self, name, *options, then=DONE, code=0):
        text = AGENTS.replace("%(then)s", then) % {"name": name}
        (self._folder / "kept_agents.py").write_text(text)
        sys.modules.pop("kept_agents", None)
        return self.run("deploy", *options, code=code)

    @property
    def versions(self):
        listed = self._lambda.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        return [one["Version"] for one in listed if one["Version"] != "$LATEST"]

    @property
    def live(self):
        alias = self._lambda.get_alias(FunctionName=FUNCTION, Name="live")
        return alias["FunctionVersion"], alias.get("RoutingConfig")


@pytest.fixture(scope="module")
def project(emulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    (folder / "pyproject.toml").write_text(
        '[tool.sqswarm]\nagents = ["kept_agents"]\nkeep_versions = true\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setenv("SQSWARM_STAGE", STAGE)
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        settings = Settings(stage=STAGE, endpoint_url=emulator.endpoint_url)
        made = Project(folder, settings)
        made.deploy("one")
        with Swarm.connect(settings, operator=True) as swarm:
            made.swarm = swarm
            yield made
        made.run("destroy")
        sys.modules.pop("kept_agents", None)


def asleep(project, seconds):
    task = project.swarm.submit("work", seconds=seconds, durable=True)
    deadline = time.monotonic() + 60
    while project.swarm.get(task.id).record.wake_at_ms is None:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return task


def test_old_tasks_finish_on_their_version_which_goes_when_nothing_needs_it(project):
    [first] = project.versions
    old = asleep(project, 60)
    project.deploy("two")
    middle = asleep(project, 20)
    told = json.loads(project.deploy("three").stdout)
    assert f"work: version {first} stays for 1 task under way" in told["notes"]
    assert first in project.versions
    assert project.swarm.submit("work").result(timeout=60) == "threethree"
    assert middle.result(timeout=90) == "twotwo"
    assert old.result(timeout=120) == "oneone"
    codes = [project.swarm.get(one.id).record.code for one in (old, middle)]
    assert codes == [first, str(int(first) + 1)]
    project.run("deploy")
    assert first not in project.versions
    assert len(project.versions) == 2
    project.run("pause", "work")  # the alias's mapping is the agent's
    project.run("resume", "work")
    assert project.swarm.submit("work").result(timeout=60) == "threethree"


class Load:
    """Submits tasks until it is told to stop."""

    def __init__(self, project):
        self._project, self._over = project, threading.Event()
        self.tasks = []

    def __enter__(self):
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _run(self):
        with Swarm.connect(self._project.settings, operator=True) as swarm:
            while not self._over.wait(0.3):
                self.tasks += [swarm.submit("work").id for _ in range(3)]


def test_a_canary_that_fails_is_taken_back_and_harms_no_task(project):
    project.deploy("four")
    before = project.live
    with Load(project) as load:
        failed = project.deploy(
            "four",
            *("--canary", "30%", "--bake", "3m"),
            then='raise RuntimeError("broken")',
            code=1,
        )
    assert "the canary of work failed and is taken back" in failed.stderr
    assert "RuntimeError" in failed.stderr
    assert project.live == before
    assert project.swarm.submit("work").result(timeout=60) == "fourfour"
    results = {project.swarm.task(one).result(timeout=120) for one in load.tasks}
    assert results == {"fourfour"}
    with Load(project) as load:
        project.deploy("six", "--canary", "50%", "--bake", "20s")
    assert project.live[0] != before[0]
    assert not (project.live[1] or {}).get("AdditionalVersionWeights")
    assert project.swarm.submit("work").result(timeout=60) == "sixsix"
