"""ctx.mcp in real agents on an emulator, against an MCP server in another process."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sqswarm.schemas.errors import TaskFailed
from sqswarm.schemas.lifecycle import Status

from .conftest import Remote

pytestmark = pytest.mark.localstack

STAGE = "remote"
AGENTS = '''
import asyncio
import os
from pathlib import Path

from sqswarm import RemoteFailed, TaskContext, agent


def note(path, line):
    with Path(path).open("a") as file:
        file.write(f"{line}\\n")


@agent(timeout=10)
async def caller(url: str, tool: str, arguments: dict, notes: str, *, ctx: TaskContext) -> object:
    """Call a remote tool."""
    note(notes, f"run {os.getpid()}")
    return await ctx.mcp(url).call(tool, **arguments)


@agent(timeout=10)
async def twice(url: str, notes: str, *, ctx: TaskContext) -> list[str]:
    """Call the same tool with other arguments, side by side, after a failure."""
    note(notes, f"run {os.getpid()}")
    try:
        await ctx.mcp(url).call("refuse")
    except RemoteFailed as error:
        first = error.reason
    server = ctx.mcp(url)
    rest = await asyncio.gather(
        *(server.call("slow", seconds=seconds, text=text)
          for seconds, text in [(5, "a"), (6, "b"), (0.2, "c")])
    )
    return [first, *rest]


@agent(timeout=10, max_attempts=1)
async def patient(url: str, *, ctx: TaskContext) -> object:
    """Wait for two seconds at most."""
    return await ctx.mcp(url, timeout=2).call("slow", seconds=600, text="x")


@agent(timeout=10, max_attempts=1, env={"TOKEN": "sesame"})
async def secretive(url: str, auth: str, *, ctx: TaskContext) -> str:
    """Call with a token."""
    return await ctx.mcp(url, auth=auth).call("greet", name="Ada")


@agent(timeout=10, max_attempts=3)
async def reacher(url: str, notes: str, *, ctx: TaskContext) -> object:
    """Call where it may not."""
    note(notes, "run")
    return await ctx.mcp(url).call("greet", name="Ada")
'''


@pytest.fixture(scope="module")
def swarm(emulator, tmp_path_factory):
    from dataclasses import replace

    from sqswarm import Swarm
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.cli.app import app

    folder = tmp_path_factory.mktemp("calling")
    (folder / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["calling_agents"]\n')
    (folder / "calling_agents.py").write_text(AGENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        result = CliRunner().invoke(app, ["deploy", "--stage", STAGE])
        assert result.exit_code == 0, result.output
        sys.modules.pop("calling_agents", None)
    with Swarm.connect(replace(settings_from_environment(), stage=STAGE)) as connected:
        yield connected


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes"
    path.touch()
    return path


def until(question, *, timeout_s=120):
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := question():
            return found
        time.sleep(0.05)
    return pytest.fail("it never became true")


def runs(notes: Path):
    return [int(line.split()[1]) for line in notes.read_text().splitlines()]


def test_a_tool_that_answers_at_once_is_a_plain_call(swarm, remote, notes):
    call = {"url": remote.url, "tool": "greet", "arguments": {"name": "Ada"}}
    assert swarm.submit("caller", **call, notes=str(notes)).result(timeout=120) == "Hello, Ada!"
    assert len(runs(notes)) == 1


def test_a_long_task_is_waited_for_without_a_worker_and_made_once(swarm, remote, notes):
    call = {"url": remote.url, "tool": "slow", "arguments": {"seconds": 8, "text": "x"}}
    task = swarm.submit("caller", **call, notes=str(notes), durable=True)
    until(lambda: swarm.get(task.id).record.wake_at_ms)
    assert swarm.get(task.id).record.lease_until_ms == 0
    assert task.result(timeout=120) == "x"
    assert len(runs(notes)) >= 2
    [[tool, key]] = remote.made
    assert tool == "slow"
    assert key.startswith(f"{task.id}/mcp slow.")


@pytest.mark.proof
def test_a_worker_that_is_killed_while_it_waits_leaves_one_remote_task(swarm, remote, notes):
    call = {"url": remote.url, "tool": "slow", "arguments": {"seconds": 5, "text": "x"}}
    task = swarm.submit("caller", **call, notes=str(notes), durable=True)
    until(lambda: remote.made)
    time.sleep(0.5)  # recorded by now, and polled for
    os.kill(runs(notes)[-1], signal.SIGKILL)
    assert swarm.get(task.id).record.wake_at_ms is None
    assert task.result(timeout=200) == "x"
    assert len(runs(notes)) >= 2
    assert len(remote.made) == 1


def test_calls_side_by_side_find_their_own_tasks_again(swarm, remote, notes):
    task = swarm.submit("twice", url=remote.url, notes=str(notes), durable=True)
    assert task.result(timeout=120) == ["it refused", "a", "b", "c"]
    assert sorted(tool for tool, _ in remote.made) == ["refuse", "slow", "slow", "slow"]
    assert len({key for _, key in remote.made}) == 4


def test_what_the_remote_task_asks_is_put_to_our_own_people(swarm, remote, notes):
    call = {"url": remote.url, "tool": "confirm", "arguments": {"filename": "f"}}
    task = swarm.submit("caller", **call, notes=str(notes), durable=True)
    until(lambda: task.status() is Status.INPUT_REQUIRED)
    [(key, request)] = swarm.get(task.id).to_json()["inputRequests"].items()
    assert request["params"]["message"] == "confirm: Sure?"
    task.answer(key, {"sure": True})
    assert task.result(timeout=120) == {"result": "accept", "content": {"sure": True}}
    assert len(remote.made) == 1


def test_patience_ends_and_the_remote_task_is_cancelled(swarm, remote):
    task = swarm.submit("patient", url=remote.url, durable=True)
    with pytest.raises(TaskFailed, match="RemoteTimedOut"):
        task.result(timeout=120)
    assert [one["cancelled"] for one in remote.tasks.values()] == [True]


def test_a_server_that_is_away_for_a_while_costs_no_attempt(swarm, remote, notes):
    call = {"url": remote.url, "tool": "slow", "arguments": {"seconds": 4, "text": "x"}}
    task = swarm.submit("caller", **call, notes=str(notes), durable=True)
    until(lambda: remote.made)
    until(lambda: swarm.get(task.id).record.wake_at_ms)
    remote.stop()
    until(lambda: len(runs(notes)) >= 2)
    time.sleep(3)
    remote.start()
    assert task.result(timeout=120) == "x"
    assert len(remote.made) == 1


def test_a_secret_named_in_code_is_sent_and_kept_nowhere(swarm, tmp_path, aws_item, parameters):
    guarded = Remote(tmp_path, token="sesame")
    try:
        task = swarm.submit("secretive", url=guarded.url, auth="env:TOKEN", durable=True)
        assert task.result(timeout=120) == "Hello, Ada!"
        assert "sesame" not in aws_item(task.id)
        parameters.put_parameter(Name="/probe/token", Value="sesame", Type="SecureString")
        task = swarm.submit("secretive", url=guarded.url, auth="ssm:/probe/token", durable=True)
        assert task.result(timeout=120) == "Hello, Ada!"
        task = swarm.submit("secretive", url=guarded.url, auth="ssm:/probe/none", durable=True)
        with pytest.raises(TaskFailed, match="no secret at ssm:/probe/none"):
            task.result(timeout=120)
        task = swarm.submit("secretive", url=guarded.url, auth="env:NOTHING", durable=True)
        with pytest.raises(TaskFailed, match="no secret at env:NOTHING"):
            task.result(timeout=120)
    finally:
        guarded.stop()


@pytest.fixture
def parameters(emulator):
    """Systems Manager's parameter store."""
    from sqswarm.backends.aws.connect import client_factory, settings_from_environment

    return client_factory(settings_from_environment())("ssm")


@pytest.fixture
def aws_item(emulator):
    """Return the text of everything the table holds of a task."""
    from sqswarm.backends.aws.connect import client_factory, settings_from_environment

    table = client_factory(settings_from_environment())("dynamodb")

    def read(task_id):
        return str(
            table.query(
                TableName=f"sqswarm-{STAGE}",
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": f"task#secretive#{task_id}"}},
            )["Items"]
        )

    return read


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "https://10.0.0.1/mcp", "http://8.8.8.8/mcp"]
)
def test_an_address_that_a_task_may_not_reach_fails_it_at_once(swarm, notes, url):
    task = swarm.submit("reacher", url=url, notes=str(notes), durable=True)
    with pytest.raises(TaskFailed, match="AddressRefused"):
        task.result(timeout=120)
    assert notes.read_text() == "run\n"
