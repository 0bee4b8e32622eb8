"""`sqswarm replay`: journals against the code of a folder, in a process that reaches nothing."""

import json
import sys

import pytest
from typer.testing import CliRunner

from sqswarm import TaskContext, agent
from sqswarm.infra.cli.app import app
from sqswarm.infra.deployment.replay_check import replay_all
from sqswarm.infra.project import find_project
from sqswarm.testing import MemorySwarm, export_journal

AGENTS = '''
import pathlib
import socket

from sqswarm import TaskContext, agent


def do(what: str) -> str:
    pathlib.Path("called").touch()
    return what


@agent
async def work(*, ctx: TaskContext) -> str:
    """Does two things, and waits in between."""
    %s


@agent
async def careless(*, ctx: TaskContext) -> str:
    """Calls somebody outside of steps."""
    socket.create_connection(("127.0.0.1", 9), timeout=1)
    return "x"
'''
FITS = (
    'return await ctx.step("a", do, "a") + str(await ctx.sleep(60)) + await ctx.step("b", do, "b")'
)
SWAPPED = 'return await ctx.step("b", do, "b") + str(await ctx.sleep(60))'


@agent
async def work(*, ctx: TaskContext) -> str:
    a = await ctx.step("a", str, "a")
    await ctx.sleep(60)
    return a + await ctx.step("b", str, "b")


@agent
async def careless(*, ctx: TaskContext) -> str:
    await ctx.sleep(60)
    return "x"


@agent
async def gone(*, ctx: TaskContext) -> str:
    await ctx.sleep(60)
    return "x"


@pytest.fixture(scope="module")
def journals():
    found = {}
    with MemorySwarm(work, careless, gone) as memory:
        tasks = {one.name: memory.submit(one) for one in (work, careless, gone)}
        memory.run(seconds=10)
        for name, task in tasks.items():
            found[name] = export_journal(memory, task.id)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch, journals):
    (tmp_path / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["replay_agents"]\n')
    for name, journal in journals.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(journal))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("replay_agents", None)


def run(*arguments, code=0):
    done = CliRunner().invoke(app, ["replay", *arguments])
    assert done.exit_code == code, done.stdout + done.stderr
    return done.stdout


def test_code_that_fits_is_told_and_nothing_is_called(folder):
    (folder / "replay_agents.py").write_text(AGENTS % FITS)
    assert "fits" in run("work.json")
    assert not (folder / "called").exists()


def test_code_that_does_not_fit_is_told_with_its_place_and_fails(folder):
    (folder / "replay_agents.py").write_text(AGENTS % SWAPPED)
    [told] = json.loads(run("work.json", "--json", code=1))
    assert told["fits"] is False
    assert (told["misfit"]["place"], told["misfit"]["got"]) == (1, "step b#0")
    assert told["misfit"]["recorded"] == "step a#0"
    assert not (folder / "called").exists()


def test_an_agent_that_is_gone_does_not_fit(folder):
    (folder / "replay_agents.py").write_text(AGENTS % FITS)
    assert "'gone' is not among" in " ".join(run("gone.json", "work.json", code=1).split())


def test_what_stands_outside_steps_reaches_nobody(folder, journals):
    (folder / "replay_agents.py").write_text(AGENTS % FITS)
    [one] = replay_all([journals["careless"]], find_project(folder))
    assert one.misfit is None
    assert "a replay calls nothing" in one.error


@pytest.mark.parametrize(
    ("text", "says"), [("{", "cannot be read"), ("[]", "is no journal")], ids=["torn", "other"]
)
def test_what_is_no_journal_is_refused(folder, text, says):
    (folder / "replay_agents.py").write_text(AGENTS % FITS)
    (folder / "torn.json").write_text(text)
    done = CliRunner().invoke(app, ["replay", "torn.json"])
    assert done.exit_code
    assert says in done.stderr


def test_code_that_does_not_load_is_told(folder):
    (folder / "replay_agents.py").write_text("import nothing_of_the_kind\n")
    done = CliRunner().invoke(app, ["replay", "work.json"])
    assert done.exit_code
    assert "nothing was replayed" in done.stderr
