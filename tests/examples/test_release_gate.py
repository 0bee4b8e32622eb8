"""The release gate: what it measures, and that it survives a kill at any point."""

import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from memory_swarm import CrashedError, MemorySwarm

from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.schemas.lifecycle import Status

EXAMPLE = Path(__file__).parents[2] / "examples" / "02_release_gate"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from release_gate import agents  # noqa: E402
from release_gate.agents import list_files, sum_up  # noqa: E402
from release_gate.measure import measure  # noqa: E402
from release_gate.report import report  # noqa: E402

STAGE = "gate"
OPERATIONS = 6
"""list the files, map, sum up, ask, sleep, publish the report."""


def test_a_file_is_measured():
    found = measure(
        "a.py",
        'def f(x):\n    """Doc."""\n    return [y for y in x if y]  # TODO: faster\n'
        "def g(x):\n    if x:\n        return 1\n    for y in x:\n        pass\n",
    )
    assert (found.lines, found.functions, found.undocumented, found.marks) == (8, 2, 1, 1)
    assert (found.hardest, found.branches) == ("g", 2)


def test_a_broken_file_says_what_is_wrong():
    found = measure("a.py", "def (:\n")
    assert found.problem
    assert found.lines == 1


def test_the_largest_files_come_first_and_hidden_ones_not_at_all(tmp_path):
    for name, size in (("small.py", 1), ("sub/large.py", 9), (".venv/huge.py", 99), ("x.txt", 9)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#" * size)
    assert list_files(str(tmp_path), 5) == ["sub/large.py", "small.py"]


def test_a_report_names_each_file(tmp_path):
    found = [measure("a.py", "def f():\n    pass\n"), measure("b.py", "def (:\n")]
    path = Path(report(str(tmp_path / "r.md"), "1.0", found, ""))
    assert "| a.py | 2 | 1 | 1 | 0 |" in path.read_text()
    assert sum_up(found).startswith("2 files, 3 lines, 1 functions")


async def test_a_death_after_any_write_does_nothing_twice(tmp_path, monkeypatch):
    """Whoever makes the write dies: a release's worker, a file's, a person's, housekeeping."""
    for n in range(3):
        (tmp_path / f"m{n}.py").write_text("def f():\n    pass\n")
    ran = Counter()

    def counted(function):
        def call(*given):
            ran[function.__name__] += 1
            return function(*given)

        return call

    for function in (agents.list_files, agents.sum_up, agents.report):
        monkeypatch.setattr(agents, function.__name__, counted(function))
    for writes in count(1):
        memory = MemorySwarm(agents.gate, agents.inspect_file)
        ran.clear()
        given = {"folder": str(tmp_path), "version": "1.0", "out": str(tmp_path / "r.md")}
        task_id = await memory.submit(agents.gate, **given)
        memory.store.dies_after = writes
        died = await lives(memory, task_id)
        outcome = (await memory.see(task_id)).result()
        assert (outcome["files"], outcome["approved"]) == (3, True), writes
        assert ran == {"list_files": 1, "sum_up": 1, "report": 1}, writes
        assert memory.store.counts["settle"] == 4, writes
        if not died:
            break
    assert writes > 25


async def lives(memory, task_id):
    """Let minutes pass until a release has come out; whether somebody died meanwhile."""
    died = False
    for _ in range(20):
        with suppress(CrashedError):
            await memory.settle_down()
            if (await memory.see(task_id)).status is Status.INPUT_REQUIRED:
                said = {"approved": True, "note": "go"}
                await answer(memory.connection, task_id, "release", value=said)
            await memory.housekeep()
        died, memory.store.dead = died or memory.store.dead, False
        if (await memory.see(task_id)).status.terminal:
            return died
    raise AssertionError(memory.log.getvalue())


@pytest.fixture(scope="module")
def swarm(emulator):
    from sqswarm import Swarm
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    settings = replace(settings_from_environment(), stage=STAGE)
    project = find_project(Path(__file__).parent / "gate_swarm")
    with pytest.MonkeyPatch.context() as patch:
        for folder in project.pythonpath:
            patch.syspath_prepend(str(folder))
        deploy(settings, plan(project, stage=STAGE), Reports())
        with Swarm.connect(settings, operator=True) as connected:
            yield connected


@pytest.mark.proof
@pytest.mark.localstack
def test_a_kill_at_any_point_does_nothing_twice(swarm, tmp_path):
    """Twelve releases side by side, each killed at another point; one of them has 100 children."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for n in range(100):
        (sources / f"m{n:03}.py").write_text(f"def f{n}():\n    return {n}\n" * (n + 1))
    tasks = {}
    for when in ("before", "after"):
        for number in range(1, OPERATIONS + 1):
            aside = tmp_path / f"{when}-{number}"
            aside.mkdir()
            limit = 100 if (when, number) == ("after", 2) else 3
            tasks[when, number] = swarm.submit(
                "gate",
                folder=str(sources),
                version=f"1.0 {when}:{number}",
                out=str(aside / "release.md"),
                limit=limit,
            )
    open_ids = {task.id for task in tasks.values()}
    ends = time.monotonic() + 240
    while open_ids:
        assert time.monotonic() < ends, open_ids
        for waiting in swarm.inbox(agent="gate"):
            swarm.answer(waiting.record.task_id, "release", {"approved": True, "note": "go"})
        open_ids = {i for i in open_ids if not swarm.get(i).status.terminal}
        time.sleep(0.5)
    for (when, number), task in tasks.items():
        aside = tmp_path / f"{when}-{number}"
        files = 100 if (when, number) == ("after", 2) else 3
        outcome = task.result(timeout=1)
        assert (outcome["files"], outcome["approved"]) == (files, True), (when, number)
        assert (aside / "killed").read_text() == f"killed {when} {number}\n"
        done = Counter((aside / "steps").read_text().split())
        assert done == {"list_files": 1, "sum_up": 1, "report": 1}, (when, number)
    children = Counter(
        view.record.parent.partition("#")[0]
        for view in swarm.list(agent="inspect_file", limit=1000)
        if view.status == "completed"
    )
    assert children == {
        task.id: 100 if place == ("after", 2) else 3 for place, task in tasks.items()
    }
