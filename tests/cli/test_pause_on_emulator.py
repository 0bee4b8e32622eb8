"""Pause and resume at the command line, against functions and a deployment in between."""

import json
from pathlib import Path

import pytest
from project_cli import deployed_project

pytestmark = pytest.mark.localstack

AGENTS = """
from sqswarm import TaskContext, agent


@agent(max_attempts=1)
async def plain(n: int) -> int:
    return n


@agent(durability="durable", max_attempts=1)
async def kept(n: int, *, ctx: TaskContext) -> int:
    return await ctx.step("double", lambda: n * 2)
"""
EACH = 30


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("pause"), "pause", AGENTS) as run:
        yield run


def test_a_load_is_paused_deployed_over_and_resumed_without_a_loss(cli, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps({"n": n}) for n in range(EACH)))
    cli("pause", "plain")
    told = cli.json("pause", "--all")
    assert told.keys() == {"plain", "kept"}
    submitted = [
        cli("submit", agent, f"n={n}").stdout.strip()
        for agent in ("plain", "kept")
        for n in range(EACH)
    ]
    agents = Path("pause_agents.py")
    agents.write_text(AGENTS.replace("n * 2", "n * 3"))
    cli("deploy")
    paused = {one["name"]: one["paused"] for one in cli.json("agents")}
    assert paused == told
    assert "plain (paused)" in cli("stats").stdout
    warned = {one["what"] for one in cli.json("doctor") if one["verdict"] == "warn"}
    assert {"agent plain", "agent kept"} <= warned
    waiting = {one["agent"]: one["backlog"]["waiting"] for one in cli.json("stats")["agents"]}
    assert waiting == {"plain": EACH, "kept": EACH}

    assert "plain goes on" in cli("resume", "plain").stdout
    assert cli.json("resume", "--all") == {}
    for n, task_id in enumerate(submitted):
        done = cli.json("wait", task_id, "--timeout", "120")
        factor = 1 if n < EACH else 3
        assert done["result"]["structuredContent"] == {"result": n % EACH * factor}
        assert done["attempt"] == 1
    assert cli.json("deploy")["changed"] is True  # the mappings are enabled in the template again
    assert cli("submit", "plain", "n=1", "--wait").stdout == "1\n"


def test_who_says_nothing_or_too_much_is_told_what_to_say(cli):
    assert "sqswarm pause --all" in cli("pause", code=2).stderr
    assert "plain, or all?" in cli("resume", "plain", "--all", code=2).stderr
    assert "Did you mean plain?" in cli("pause", "plian", code=2).stderr
