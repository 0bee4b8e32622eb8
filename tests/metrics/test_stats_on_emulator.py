"""Metrics and stats of a deployed swarm: what functions print, and what the command line shows."""

import json
import time
from collections import Counter

import pytest
from project_cli import deployed_project

from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.infra.cli import stats as verb
from sqswarm.schemas.metrics import tells_metrics

pytestmark = pytest.mark.localstack

AGENTS = '''
from sqswarm import Fail, TaskContext, agent


@agent
async def shout(text: str, *, ctx: TaskContext) -> str:
    """Say it louder."""
    print(f"shouting {text}")
    return await ctx.step("up", lambda: text.upper())


@agent(max_attempts=1)
async def refuse(text: str) -> str:
    """Never does it."""
    raise Fail(f"not {text}", type="Rude")
'''
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("counts"), "counts", AGENTS) as run:
        for text in ("a", "b", "c"):
            run("submit", "shout", f"text={text}", "--wait")
        run("submit", "refuse", "text=no", "--wait", code=1)
        yield run


def lines_of(agent):
    logs = client(settings_from_environment(), "logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/sqswarm-counts-{agent}"
    )
    return [event["message"] for page in pages for event in page["events"]]


def counted(agent):
    """Return the sums of the metrics that an agent's function has printed."""
    sums = Counter()
    for line in filter(tells_metrics, lines_of(agent)):
        sums.update({name: n for name, n in json.loads(line).items() if isinstance(n, int)})
    return sums


def within_patience(look, wanted):
    ends = time.monotonic() + _PATIENCE_S
    while (seen := look()) != wanted and time.monotonic() < ends:
        time.sleep(0.5)
    return seen


def test_functions_print_what_their_batches_did(cli):
    done = {"Started": 3, "Completed": 3, "Failed": 0, "Retried": 0, "Steps": 3}
    assert within_patience(lambda: {n: counted("shout")[n] for n in done}, done) == done
    failed = {"Started": 1, "Completed": 0, "Failed": 1, "FailedByType_Rude": 1}
    assert within_patience(lambda: {n: counted("refuse")[n] for n in failed}, failed) == failed


def test_logs_show_what_agents_printed_and_no_metrics(cli):
    shown = within_patience(
        lambda: "shouting c" in cli("logs", "shout", "--since", "1h").stdout, True
    )
    assert shown
    assert "CloudWatchMetrics" not in cli("logs", "--since", "1h").stdout


def test_stats_tell_the_same(cli):
    seen = cli.json("stats")
    agents = {one["agent"]: one for one in seen["agents"]}
    assert agents.keys() == {"shout", "refuse"}
    assert (agents["shout"]["started"], agents["shout"]["completed"]) == (3, 3)
    assert agents["refuse"]["failures"] == {"Rude": 1}
    assert agents["refuse"]["backlog"]["deadLetters"] == 1
    assert 0 <= agents["shout"]["run"]["p50Ms"] <= agents["shout"]["run"]["p95Ms"]
    assert (seen["total"]["completed"], seen["total"]["failed"]) == (3, 1)


def test_stats_are_shown_to_people(cli):
    shown = cli("stats").stdout
    assert "refuse failed: 1 Rude" in shown
    assert [line.split()[0] for line in shown.splitlines()[2:5]] == ["refuse", "shout", "all"]
    assert "all" not in cli("stats", "shout").stdout


def test_a_watch_looks_again(cli, monkeypatch):
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(verb.time, "sleep", sleep)
    result = cli("stats", "--watch", "--json", code=130)
    assert [json.loads(line)["stage"] for line in result.stdout.splitlines()] == ["counts"] * 2
    assert looks == [5.0, 5.0]


def test_a_length_of_time_that_is_none_is_told(cli):
    cli("stats", "--since", "soon", code=2)
    cli("stats", "nobody", code=2)


@pytest.mark.proof
def test_the_age_of_the_oldest_message_is_known_within_a_minute_or_so(cli):
    settings = settings_from_environment()
    source = client(settings, "lambda")
    [mapping] = source.list_event_source_mappings(FunctionName="sqswarm-counts-shout")[
        "EventSourceMappings"
    ]
    source.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    time.sleep(2)
    cli("submit", "shout", "text=waits")
    ends = time.monotonic() + 150
    age = None
    while not age and time.monotonic() < ends:
        time.sleep(5)
        seen = cli.json("stats", "shout")["agents"][0]["backlog"]
        age = seen["oldestSeconds"]
    assert age, seen
    assert 0 < age < 200
    source.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
