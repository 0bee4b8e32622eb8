"""`sqswarm diff` and the first screen of `deploy`, against a real stage."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from project_cli import deployed_project

from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deployment.look_ahead import what_is_left

pytestmark = pytest.mark.localstack

AGENTS = '''
from sqswarm import TaskContext, agent


@agent(calls=[])
async def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@agent(durability="durable", calls=[])
async def asks(*, ctx: TaskContext) -> int:
    """Waits for somebody."""
    return await ctx.ask("n", "N?", int)
'''
SMALLER = '''
from sqswarm import agent


@agent(calls=[], timeout=45)
async def shout(text: str, times: int) -> str:
    """Say it louder."""
    return text.upper() * times
'''


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("diff"), "diff", AGENTS) as run:
        yield run


def test_what_would_change_is_said_and_nothing_is_done(cli):
    assert "is as the agents here declare it" in cli("diff").stdout
    assert cli.json("diff")["changed"] is False
    task = cli("submit", "asks").stdout.strip()
    ends = time.monotonic() + 60
    while cli.json("get", task)["status"] != "input_required":
        assert time.monotonic() < ends
        time.sleep(0.2)
    Path("smaller.py").write_text(SMALLER)

    seen = cli.json("diff", "--agents", "smaller")
    asks, shout = seen["agents"]
    assert (asks["agent"], asks["kind"], asks["left"]["tasks"]) == ("asks", "removed", 1)
    assert (shout["agent"], shout["kind"]) == ("shout", "changed")
    assert shout["breaks"] == ["the argument times is required"]
    assert seen["atStake"] == ["asks is removed: 1 task under way stay behind"]
    assert seen["idleUsdPerMonth"] < seen["wasIdleUsdPerMonth"]
    told = cli("diff", "--agents", "smaller").stdout
    assert "- agent asks" in told
    assert "! breaks its callers: the argument times is required" in told
    assert "sqswarm cancel --agent asks" in told
    assert {one["name"] for one in cli.json("agents")} == {"shout", "asks"}
    left = what_is_left(replace(settings_from_environment(), stage="diff"))
    assert (left.tasks, left.to_json()["deadLetters"]) == (1, 0)
    assert str(left).startswith("1 task under way, about ")

    refused = cli("deploy", "--agents", "smaller", "--yes", code=1).stderr
    assert "- agent asks" in refused
    assert task in refused
    told = cli("deploy", "--agents", "smaller", "--yes", "--force").stderr
    assert "- agent asks" in told
    assert "is as the agents here declare it" in cli("diff", "--agents", "smaller").stdout
    again = cli.json("diff")
    assert [(one["agent"], one["kind"]) for one in again["agents"]] == [
        ("asks", "added"),
        ("shout", "changed"),
    ]
