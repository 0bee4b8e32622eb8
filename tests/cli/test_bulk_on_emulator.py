"""Dead letters and tasks by the dozen, at the command line, against a real swarm."""

import time

import pytest
from project_cli import deployed_project

from sqswarm import Swarm
from sqswarm.schemas.settings import Settings

pytestmark = pytest.mark.localstack

AGENTS = '''
from sqswarm import TaskContext, agent


@agent(max_attempts=1)
async def brittle(n: int, mended: bool = False) -> int:
    """Breaks in two ways."""
    if n % 3 == 0:
        raise ValueError("three")
    raise KeyError("other")


@agent(durability="durable")
async def asking(*, ctx: TaskContext) -> int:
    """Waits for somebody."""
    return await ctx.ask("n", "N?", int)
'''
FAILED = 12


def until(true, *, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("bulk"), "bulk", AGENTS) as run:
        yield run


@pytest.fixture
def swarm(emulator):
    settings = Settings(stage="bulk", endpoint_url=emulator.endpoint_url)
    with Swarm.connect(settings, operator=True) as connected:
        yield connected


def nothing_to_do(swarm):
    backlog = swarm.stats(agent="brittle").agent("brittle").backlog
    return not (backlog.waiting or backlog.in_flight or backlog.delayed)


@pytest.fixture
def failed(cli, swarm):
    """Tasks that failed and left dead letters; none else lie there."""
    # What an earlier test ran again fails after it, and leaves its letter before its message goes.
    until(lambda: nothing_to_do(swarm))
    cli("purge", "brittle", "--dead-letters", "--yes")
    tasks = [swarm.submit("brittle", n=n) for n in range(FAILED)]
    for _ in swarm.wait(tasks, timeout=180):
        pass
    until(lambda: swarm.dead_letters("brittle", limit=1).total == FAILED)
    return tasks


def test_letters_come_in_pages_that_say_how_many_there_are(cli, failed):
    first = cli("dlq", "brittle", "--limit", "5")
    assert f"5 of {FAILED} dead letters" in first.stderr
    assert "--page 2" in first.stderr
    last = cli("dlq", "brittle", "--limit", "5", "--page", "3")
    assert f"2 of {FAILED} dead letters" in last.stderr
    assert "--page" not in last.stderr
    assert len(cli.json("dlq", "brittle")) == FAILED


def test_letters_are_grouped_by_reason_and_one_group_is_redriven(cli, swarm, failed):
    groups = cli.json("dlq", "--by", "reason")
    assert [(g["agent"], g["reason"], g["count"]) for g in groups] == [
        ("brittle", "KeyError", 8),
        ("brittle", "ValueError", 4),
    ]
    assert {example["taskId"] for g in groups for example in g["examples"]} <= {
        t.id for t in failed
    }
    shown = cli("dlq", "--by", "reason").stdout
    assert "ValueError" in shown
    assert "three" in shown

    no = cli("redrive", "brittle", "--reason", "ValueError", input="n\n", code=130)
    assert "Run 4 dead letters of brittle (ValueError) again?" in no.stderr
    assert "--yes" in cli("redrive", "brittle", "--json", code=2).stderr
    told = cli.json("redrive", "brittle", "--reason", "ValueError", "--yes")
    assert {one["oldTaskId"] for one in told} == {task.id for task in failed[::3]}
    assert all(swarm.get(one["newTaskId"]).record.redriven_from for one in told)


def test_failed_tasks_that_match_are_redriven_once_and_their_letters_go(cli, swarm, failed):
    arguments = ("redrive", "--error-type", "KeyError", "--since", "1h", "--agent", "brittle")
    asked = cli(*arguments, "--limit", "3", input="y\n")
    assert "Run 3 of " in asked.stderr
    assert len([line for line in asked.stdout.splitlines() if "  " in line]) == 3
    cli(*arguments, "--yes", "--rate", "100")
    mine = {task.id for n, task in enumerate(failed) if n % 3}
    links = {task_id: swarm.get(task_id).record.redriven_as for task_id in mine}
    assert None not in links.values()
    left = {letter.task_id for letter in swarm.dead_letters("brittle", limit=100)}
    assert not left & mine


def test_a_task_is_redriven_by_its_id(cli, swarm, failed):
    [one] = cli.json("redrive", failed[0].id)
    assert swarm.get(failed[0].id).record.redriven_as == one["newTaskId"]


def test_all_that_wait_are_counted_and_cancelled(cli, swarm):
    tasks = [swarm.submit("asking", durable=True) for _ in range(11)]
    until(lambda: len(cli.json("inbox", "--agent", "asking")) == 11)
    no = cli("cancel", "--agent", "asking", input="n\n", code=130)
    assert "Cancel 11 tasks (11 asking), and their child tasks?" in no.stderr
    told = cli.json("cancel", "--agent", "asking", "--status", "input_required", "--yes")
    assert {one["taskId"] for one in told} == {task.id for task in tasks}
    assert {one["status"] for one in told} == {"cancelled"}
    assert cli.json("cancel", "--agent", "asking", "--yes") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["redrive"], "nothing says what to run again"),
        (["redrive", "brittle", "--reason", "x", "--where", "a=b"], "--where is of tasks"),
        (["redrive", "--status", "working", "--yes"], "no working task can be redriven"),
        (["redrive", "--where", "tenant", "--yes"], "is no TAG=VALUE"),
        (["redrive", "--since", "soon", "--yes"], "is no time"),
        (["cancel"], "nothing says what to cancel"),
        (["cancel", "--status", "done", "--yes"], "there is no status"),
        (["cancel", "x", "--status", "working"], "is for many tasks"),
        (["dlq", "--by", "reason", "--reason", "x"], "--by counts all"),
    ],
)
def test_what_makes_no_sense_is_said(cli, arguments, said):
    assert said in cli(*arguments, code=2).stderr
