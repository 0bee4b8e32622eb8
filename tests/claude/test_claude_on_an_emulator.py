"""Claude agents as real functions on an emulator: killed, crowded, refused and counted."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.pricing import MICRO, Tokens, price_of
from sqswarm.testing.fake_claude import Script, fake_claude

pytestmark = pytest.mark.localstack

HERE = Path(__file__).parent
MODEL = "claude-sonnet-5-5"


@pytest.fixture(scope="module")
def stage():
    with fake_claude(Script()) as claude:
        yield claude


@pytest.fixture(scope="module")
def swarm(emulator, stage):
    from sqswarm import Swarm
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", stage.base_url)
        patch.setenv("SQSWARM_STAGE", "claude")
        patch.syspath_prepend(str(HERE / "desk_swarm"))
        project = find_project(HERE / "desk_swarm")
        deploy(settings_from_environment(), plan(project, stage="claude"), Reports())
        with Swarm.connect() as connected:
            yield connected


def play(stage, document):
    stage.takes.clear()
    stage.script = Script.of(document)


def note(path, what):
    return {"tool": "note", "input": {"path": str(path), "what": what}}


def sqswarm(*arguments):
    ran = subprocess.run(
        [Path(sys.executable).parent / "sqswarm", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
        timeout=180,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def cost(*arguments):
    return sqswarm("cost", *arguments, "--json")


def check_ledger(stage, agent):
    """Hold the ledger against the server's own count, to the token and the micro-dollar."""
    [told] = cost("--by", "agent,model", "--agent", agent)
    paid = stage.usage()
    assert told["calls"] == len(stage.paid)
    assert told["inputTokens"] == paid["input_tokens"]
    assert told["cacheWriteTokens"] == paid["cache_creation_input_tokens"]
    assert told["cacheReadTokens"] == paid["cache_read_input_tokens"]
    assert told["outputTokens"] == paid["output_tokens"]
    price = price_of(MODEL, day="2026-11-21")
    micro_usd = sum(price.micro_usd(Tokens.of(take.usage)) for take in stage.paid)
    assert round(told["usd"] * MICRO) == micro_usd


@pytest.mark.proof
def test_a_worker_that_is_killed_after_any_step_repeats_none(swarm, stage, tmp_path):
    steps = 6  # turn, two notes side by side, turn (with a child task), note, turn
    scenes = []
    for n in range(steps + 1):
        path = tmp_path / f"notes{n}"
        turns = [
            {"say": "First.", "use": [note(path, "a"), note(path, "b")]},
            {
                "use": [note(path, "c"), {"tool": "lookup", "input": {"city": f"Rome{n}"}}],
            },
            {"say": "Found {last}"},
        ]
        scenes.append({"when": f"die={n};", "turns": turns})
    play(stage, {"scenes": scenes})
    tasks = [swarm.submit("planner", prompt=f"go die={n};") for n in range(steps + 1)]
    answers = [task.result(timeout=480) for task in tasks]
    assert answers == [f'Found {{"city":"Rome{n}","rooms":5}}' for n in range(steps + 1)]
    assert stage.repeated() == {}
    for n in range(steps + 1):
        noted = Counter((tmp_path / f"notes{n}").read_text().split())
        # A tool that ran beside the one whose record killed the worker may not have been
        # recorded yet: only that one may run again.
        again = [what for what, times in noted.items() if times > 1]
        assert set(noted) == {"a", "b", "c"}
        assert len(again) <= (1 if n == 2 else 0), (n, noted)
    turns = Counter(take.conversation for take in stage.paid)
    assert list(turns.values()) == [3] * (steps + 1)
    for task in tasks:
        Path(tempfile.gettempdir(), f"sqswarm-steps-{task.id}").unlink(missing_ok=True)
    check_ledger(stage, "planner")


@pytest.mark.proof
def test_fifty_conversations_through_a_busy_api(swarm, stage, tmp_path):
    path = tmp_path / "notes"
    turns = [{"use": [note(path, f"{n}")]} for n in range(5)]
    faults = {"rate_limited": 0.1, "overloaded": 0.05, "retry_after_ms": 200, "seed": 7}
    scene = {"when": "talk", "turns": [*turns, {"say": "done {last}"}]}
    play(stage, {"scenes": [scene], "faults": faults})
    tasks = [swarm.submit("talker", prompt=f"talk {n}", session_id=f"s{n}") for n in range(50)]
    for task in tasks:
        assert task.result(timeout=240) == "done noted 4"
    refused = Counter(take.status for take in stage.takes)
    assert refused[200] == 300
    assert refused[429] > 10
    assert refused[529] > 3
    assert stage.repeated() == {}
    assert Counter(path.read_text().split()) == {str(n): 50 for n in range(5)}
    check_ledger(stage, "talker")
    # Every history is whole and in order.
    play(stage, {"scenes": [{"turns": [{"say": "ok"}]}]})
    again = [swarm.submit("talker", prompt="more", session_id=f"s{n}") for n in range(50)]
    assert [task.result(timeout=120) for task in again] == ["ok"] * 50
    for take in stage.paid:
        roles = [message["role"] for message in take.request["messages"]]
        assert roles == ["user", "assistant"] * 6 + ["user"]
        used = [
            block["input"]["what"]
            for message in take.request["messages"]
            if message["role"] == "assistant"
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        assert used == ["0", "1", "2", "3", "4"]


@pytest.mark.proof
def test_workers_that_are_told_to_wait_do_not_stampede(swarm, stage):
    faults = {"requests_per_s": 12, "retry_after_ms": 1000}
    play(stage, {"scenes": [{"turns": [{"say": "ok"}]}], "faults": faults})
    tasks = [swarm.submit("talker", prompt=f"{n}") for n in range(60)]
    assert [task.result(timeout=200) for task in tasks] == ["ok"] * 60
    statuses = Counter(take.status for take in stage.takes)
    # Each call that is refused costs one more request; a stampede costs one for each that waits,
    # again and again: 60 calls at 12 a second would be 48 + 36 + 24 + 12 = 120 refusals.
    assert statuses[200] == 60
    assert statuses[429] < 90, statuses


async def test_a_key_comes_from_the_parameter_store(swarm):
    from sqswarm.backends.aws.connect import client, settings_from_environment
    from sqswarm.backends.redact import hide
    from sqswarm.backends.secrets import secret

    settings = settings_from_environment()
    client(settings, "ssm").put_parameter(
        Name="/test/key", Value="parameter-value-1", Type="SecureString"
    )
    client(settings, "secretsmanager").create_secret(
        Name="test-secret", SecretString='{"token": "manager-value-1"}'
    )
    assert await secret("ssm:/test/key") == "parameter-value-1"
    assert await secret("secretsmanager:test-secret#token") == "manager-value-1"
    assert hide("parameter-value-1 manager-value-1") == "[secret] [secret]"
    assert await secret("ssm:/not/there", default="none") == "none"


def test_a_session_is_shown_exported_and_deleted(swarm, stage, tmp_path):
    path = tmp_path / "notes"
    play(stage, {"scenes": [{"turns": [{"use": [note(path, "it")]}, {"say": "said {last}"}]}]})
    task = swarm.submit("talker", prompt="hi", session_id="mine")
    assert task.result(timeout=120) == "said noted it"
    assert path.read_text() == "it\n"
    told = sqswarm("session", "mine", "--json")
    assert next(m["content"] for m in told["turns"][0]["messages"]) == "hi"
    with pytest.raises(AssertionError, match="no session 'mine'"):
        sqswarm("session", "mine", "--agent", "adder", "--json")
    deleting = ("session", "mine", "--agent", "talker", "--delete", "--json")
    assert sqswarm(*deleting)["turns"] == 1
    with pytest.raises(AssertionError, match="no session 'mine'"):
        sqswarm("session", "mine", "--json")


@pytest.mark.proof
def test_a_daily_budget_holds_over_all_workers(swarm, stage):
    play(stage, {"scenes": [{"turns": [{"say": "x", "tokens": 1000}]}]})
    tasks = [swarm.submit("thrifty", prompt=f"{n}") for n in range(30)]
    assert len(list(swarm.wait(tasks, timeout=120))) == 30
    seen = [swarm.get(task.id) for task in tasks]
    refused = [view for view in seen if view.status is Status.FAILED]
    assert {view.record.error["data"]["type"] for view in refused} == {"BudgetExceeded"}
    [told] = cost("--agent", "thrifty", "--by", "agent")
    assert told["usd"] <= 0.10
    assert told["calls"] == len(stage.paid) == 30 - len(refused) > 3
