"""The pytest plugin in a foreign project: no conftest, a hostile shell, several processes."""

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from sqswarm.infra.local.home import home

pytest_plugins = "pytester"

HOME = home()
"""Where the emulators' environments are: pytester has a home of its own."""

SHELL = {
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "of-the-real-one",
    "AWS_SESSION_TOKEN": "of-the-real-one",
    "AWS_ENDPOINT_URL": "http://192.0.2.1:1",
    "AWS_ENDPOINT_URL_SQS": "http://192.0.2.1:1",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_REGION": "eu-central-1",
    "SQSWARM_STAGE": "production",
    "ANTHROPIC_API_KEY": "sk-of-the-real-one",
}
"""Of somebody who works on the real AWS."""

PROJECT = """
[project]
name = "shop"
version = "1"

[tool.sqswarm]
agents = ["shop"]
"""

SHOP = """
from dataclasses import dataclass
from sqswarm import TaskContext, agent

@dataclass
class Approval:
    ok: bool

@agent
async def weigh(item: str) -> int:
    return len(item)

def charge(amount: int) -> str:
    return f"paid {amount}"

@agent
async def order(items: list[str], *, ctx: TaskContext) -> str:
    weights = await ctx.map("weigh", [{"item": item} for item in items])
    said = await ctx.ask("approve", "Send?", Approval)
    if not said.ok:
        raise ValueError("not sent")
    await ctx.sleep(3600)
    return await ctx.step("charge", charge, sum(weights))
"""

IN_MEMORY = """
import boto3, pytest
import shop
from sqswarm.testing import Kill, Duplicate

def buy(memory_swarm):
    task = memory_swarm.submit("order", items=["pen", "paper"])
    memory_swarm.run()
    task.answer("approve", {"ok": True})
    return task.result()

def test_plain(memory_swarm):
    assert buy(memory_swarm) == "paid 8"

@pytest.mark.agents([shop.weigh])
def test_alone(memory_swarm):
    assert memory_swarm.submit(shop.weigh, item="x").result() == 1

@pytest.mark.agents([shop.weigh, "shop"])
def test_a_name_in_the_list(memory_swarm):
    assert buy(memory_swarm) == "paid 8"

@pytest.mark.faults(Kill(during="charge"), Duplicate())
def test_faults(memory_swarm):
    assert buy(memory_swarm) == "paid 8"

def test_no_aws(memory_swarm):
    sqs = boto3.client("sqs")
    assert sqs.meta.endpoint_url == "http://127.0.0.1:9"
"""

WITH_BOTO3 = """
import boto3, pytest

pytestmark = pytest.mark.ministack

@pytest.mark.parametrize("again", [1, 2])
def test_services(local_aws, again):
    queue = boto3.client("sqs").create_queue(QueueName="mine")["QueueUrl"]
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody="one")
    topic = local_aws.client("sns").create_topic(Name="news")["TopicArn"]
    assert len(local_aws.client("sns").list_topics()["Topics"]) == 1
    assert len(local_aws.client("sqs").list_queues()["QueueUrls"]) == 1
    bucket = local_aws.resource("s3").create_bucket(Bucket="mine")
    bucket.put_object(Key="a", Body=b"b")
    table = boto3.resource("dynamodb").create_table(
        TableName="mine",
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert table.scan()["Items"] == []
    assert boto3.client("sts").get_caller_identity()["Account"] == "000000000000"
"""

DEPLOYED = """
import json
import time
import pytest
import shop
from sqswarm.testing import export_journal, replay

pytestmark = pytest.mark.ministack

@pytest.mark.parametrize("again", [1, 2])
def test_deployed(swarm, again):
    assert not swarm.list()
    task = swarm.submit("order", items=["four"])
    for _ in range(600):
        if task.status() == "input_required":
            break
        time.sleep(0.1)
    journal = json.loads(json.dumps(export_journal(swarm, task.id)))
    assert replay(journal, shop.order).waits == ("ask approve",)

@pytest.mark.agents([shop.weigh, "shop"])
def test_both(swarm, local_aws):
    queues = local_aws.client("sqs").list_queues()["QueueUrls"]
    assert any("sqswarm-test-weigh" in url for url in queues)
"""

TESTS = {
    "test_in_memory.py": [
        "test_plain",
        "test_alone",
        "test_a_name_in_the_list",
        "test_faults",
        "test_no_aws",
    ],
    "test_with_boto3.py": ["test_services[1]", "test_services[2]"],
    "test_deployed.py": ["test_deployed[1]", "test_deployed[2]", "test_both"],
}


@pytest.fixture
def foreign(pytester, monkeypatch):
    """A project that knows nothing of this one, in a shell that is set up for the real AWS."""
    for name in [one for one in os.environ if one.startswith(("AWS_", "COV_", "PYTEST_XDIST"))]:
        monkeypatch.delenv(name)
    for name, value in {**SHELL, "SQSWARM_HOME": str(HOME)}.items():
        monkeypatch.setenv(name, value)
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    files = {
        "pyproject.toml": PROJECT,
        "shop.py": SHOP,
        "test_in_memory.py": IN_MEMORY,
        "test_with_boto3.py": WITH_BOTO3,
        "test_deployed.py": DEPLOYED,
    }
    for name, text in files.items():
        (pytester.path / name).write_text(textwrap.dedent(text).lstrip())
    return pytester


def run(foreign, *arguments):
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-rfE"),
            *("-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error", *arguments),
        ],
        cwd=foreign.path,
        capture_output=True,
        text=True,
        check=False,
    )


def left_behind(folder):
    """Return the command lines of processes that live in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder):
                found.append(process.cmdline())
        except (psutil.Error, OSError):
            continue
    return found


def check(foreign, *, seed, processes=2):
    names = [f"{file}::{test}" for file, tests in TESTS.items() for test in tests]
    random.Random(seed).shuffle(names)
    ran = run(foreign, "-n", str(processes), *names)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{len(names)} passed" in ran.stdout
    assert not left_behind(foreign.path)
    assert not list((foreign.path / "temporary").glob("sqswarm-*"))


def test_a_run_in_memory_needs_no_emulator_and_tells_nothing(foreign):
    ran = run(foreign, "test_in_memory.py")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout
    assert "sqswarm" not in ran.stdout


@pytest.mark.localstack
def test_a_foreign_project_is_green_in_any_order_on_several_processes(foreign):
    check(foreign, seed=1)


@pytest.mark.localstack
@pytest.mark.proof
@pytest.mark.parametrize("seed", range(20))
def test_it_is_green_again_and_again(foreign, seed):
    check(foreign, seed=seed)


def test_a_test_that_fails_shows_its_tasks_and_their_logs(foreign):
    (foreign.path / "test_it_fails.py").write_text(
        "def test_fails(memory_swarm):\n"
        "    task = memory_swarm.submit('order', items=['pen'])\n"
        "    memory_swarm.run()\n"
        "    task.answer('approve', {'ok': False})\n"
        "    assert task.result() == 'paid 3'\n"
    )
    ran = run(foreign, "test_it_fails.py")
    assert ran.returncode == 1
    assert "sqswarm: tasks in memory" in ran.stdout
    assert "ValueError: not sent" in ran.stdout
    assert '"agent.raised"' in ran.stdout


def test_a_fault_that_does_not_happen_fails_its_test(foreign):
    (foreign.path / "test_it_fails.py").write_text(
        "import pytest\n"
        "from sqswarm.testing import Kill\n"
        "@pytest.mark.faults(Kill(before='chrage'))\n"
        "def test_fails(memory_swarm):\n"
        "    pass\n"
    )
    ran = run(foreign, "test_it_fails.py")
    assert ran.returncode == 1
    assert "faults that have not happened: Kill(before='chrage'" in ran.stdout


def test_an_agent_that_swallowed_its_test_is_an_error(foreign):
    (foreign.path / "test_it_fails.py").write_text(
        "import pytest, shop\n"
        "@pytest.mark.agents(shop.weigh)\n"  # to pytest it is a function that is marked
        "def test_fails(memory_swarm):\n"
        "    pass\n"
    )
    ran = run(foreign, "test_it_fails.py")
    assert ran.returncode == 2, ran.stdout
    assert "agents([" in ran.stdout


def test_loading_the_plugin_loads_nothing_else():
    code = (
        "import sys, pytest, sqswarm.testing.pytest_plugin\n"
        "heavy = {'boto3', 'botocore', 'pydantic', 'mcp', 'anthropic', 'starlette', 'jsonschema'}\n"
        "print(heavy & {*sys.modules})\n"
        "print([m for m in sys.modules if m.startswith('sqswarm') and m.count('.') > 1])\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["set()", "['sqswarm.testing.pytest_plugin']"]
