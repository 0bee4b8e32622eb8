"""Metrics: one line a batch, which CloudWatch reads and which counts every task once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)
from aws_lambda_powertools.utilities.validation import validate
from memory_swarm import MemorySwarm

import sqswarm
from sqswarm import Fail, Retry, TaskContext, agent
from sqswarm.backends.log import Log
from sqswarm.schemas import metrics
from sqswarm.schemas.heard import Attempt, Batch, Step, TaskEnd, Turn
from sqswarm.workers.hosts.housekeeping import run_housekeeping
from sqswarm.workers.metrics import EmfMetrics, emf_line, emf_metrics

UNITS = ("Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|"
         "Kilobits|Megabits|Gigabits|Terabits|Percent|Count|None")  # fmt: skip

EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_000_000_000_000},
                "CloudWatchMetrics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "additionalProperties": False,
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "additionalProperties": False,
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1,
                                                 "maxLength": 1024},
                                        "Unit": {"type": "string", "pattern": f"^({UNITS})$"},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
    "patternProperties": {
        "^(stage|agent)$": {"type": "string", "minLength": 1, "maxLength": 1024},
        "^[A-Z]": {
            "anyOf": [
                {"type": "number"},
                {"type": "array", "maxItems": 100, "items": {"type": "number"}},
            ]
        },
    },
}  # fmt: skip
"""Source: CloudWatch, "Specification: Embedded metric format", its limits written as a schema."""


@agent(timeout=20, max_attempts=2)
async def greet(name: str, *, ctx: TaskContext) -> str:
    match name:
        case "flaky" if ctx.attempt == 1:
            raise Retry("once", after=1)
        case "never":
            raise Fail("no", type="Rude")
        case "sleepy":
            await ctx.sleep(60)
    return await ctx.step("write", lambda: f"hello {name}")


@agent(timeout=20, max_attempts=1, durability="durable")
async def doomed(name: str) -> str:
    return name


@agent(timeout=20, durability="lean")
async def cheap(name: str) -> str:
    return name


@pytest.fixture
def counted():
    metrics = EmfMetrics("test")
    sqswarm.add_middleware(metrics)
    yield metrics
    sqswarm.remove_middleware(metrics)


@pytest.fixture
def memory(counted):
    return MemorySwarm(greet, doomed, cheap)


@pytest.fixture
def lines(capsys):
    def read():
        printed = capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in printed]

    return read


def summed(lines, name):
    return sum(line.get(name, 0) for line in lines)


async def test_a_batch_is_one_line(memory, lines):
    for name in ("Ada", "never", "flaky", "sleepy"):
        await memory.submit(greet, name=name)
    memory.clock.advance(seconds=3)
    await memory.work(greet)
    [line] = lines()
    assert line["_aws"]["Timestamp"] == memory.clock.ms
    assert (line["stage"], line["agent"]) == ("test", "greet")
    counts = {name: line[name] for name, unit in metrics.UNITS.items()
              if unit == "Count" and name in line}  # fmt: skip
    assert counts == {
        "Started": 4, "Completed": 1, "Failed": 1, "Retried": 1, "Suspended": 1, "Steps": 1,
    }  # fmt: skip
    assert line["FailedByType_Rude"] == 1
    assert line["QueueWait"] == [3000] * 4
    assert (len(line["RunTime"]), len(line["BatchTime"])) == (4, 2)


async def test_the_next_batch_counts_what_it_does_itself(memory, lines):
    await memory.submit(greet, name="flaky")
    await memory.work(greet)
    lines()
    memory.clock.advance(seconds=9)
    await memory.work(greet)
    [line] = lines()
    assert (line["Started"], line["Completed"], line["Retried"]) == (1, 1, 0)
    assert "QueueWait" not in line  # a retry waits for good reason


async def test_a_sleeper_waits_for_a_worker_only_after_its_sleep(memory, lines):
    await memory.submit(greet, name="sleepy")
    await memory.work(greet)
    memory.clock.advance(seconds=62)
    lines()
    await memory.work(greet)
    [line] = lines()
    assert line["QueueWait"] == [2000]


async def test_to_count_costs_no_call(counted, lines):
    calls = {}
    for counts in (True, False):
        memory = MemorySwarm(greet, doomed, cheap)
        (sqswarm.add_middleware if counts else sqswarm.remove_middleware)(counted)
        for one in (greet, doomed, cheap):
            for name in ("Ada", "never", "flaky"):
                await memory.submit(one, name=name)
        await memory.settle_down()
        await memory.housekeep(minutes=2)
        calls[counts] = memory.store.counts
    assert calls[True] == calls[False]
    assert summed(lines(), "Completed") == 8


@pytest.mark.parametrize("one", [greet, doomed, cheap], ids=lambda one: one.name)
async def test_a_task_that_comes_again_is_counted_once(memory, lines, one):
    await memory.submit(one, name="Ada")
    [body] = memory.waiting(one)
    await memory.work(one)
    await memory.copy(one, body)
    await memory.work(one)
    found = lines()
    assert summed(found, "Completed") == 1
    if one is not cheap:  # which runs again: it takes no lease
        assert len(found) == 1


async def test_a_settle_whose_answer_is_lost_is_counted_by_whoever_made_it(memory, lines):
    store, settled = memory.store, memory.store.write_each

    async def answer_lost(writes):
        await settled(writes)
        return await settled(writes)  # the same again, as the SDK's retry would

    await memory.submit(greet, name="Ada")
    store.write_each = answer_lost
    await memory.work(greet)
    assert summed(lines(), "Completed") == 1


async def test_what_the_table_does_not_take_is_lost_and_counted_later(memory, lines):
    await memory.submit(doomed, name="Ada")
    await memory.submit(greet, name="Ada")
    settled = memory.store.write_each

    async def no_table(writes):
        if any(change.name == "result" for write in writes for change in write.changes):
            return [ConnectionError("no table")] * len(writes)
        return await settled(writes)

    memory.store.write_each = no_table
    await memory.work(greet)
    [line] = lines()
    assert (line["Started"], line["Completed"], line["Lost"]) == (1, 0, 1)
    memory.store.write_each = settled
    await memory.housekeep(minutes=5)
    found = lines()
    assert [one["Completed"] for one in found if one["agent"] == "greet" and one["Completed"]] == [
        1
    ]


class DiedError(BaseException):
    """A worker's end, which no part of it catches."""


async def test_what_housekeeping_fails_is_counted_too(memory, lines, counted, monkeypatch):
    monkeypatch.setattr("sqswarm.workers.hosts.housekeeping.emf_metrics", lambda stage: counted)
    await memory.submit(doomed, name="Ada")
    settled = memory.store.write_each

    async def dies(writes):
        if any(change.name == "result" for write in writes for change in write.changes):
            raise DiedError
        return await settled(writes)

    memory.store.write_each = dies
    with pytest.raises(DiedError):
        await memory.work(doomed)
    memory.store.write_each = settled
    assert lines() == []  # what a killed worker did not write is lost
    counted.__init__("test")
    keeper = memory.connection_for("keeper", operator=True)
    for _ in range(10):
        memory.clock.advance(seconds=60)
        await run_housekeeping(keeper, Log.to(memory.log))
    [line] = lines()
    assert (line["agent"], line["Failed"], line["FailedByType_WorkerLost"]) == ("doomed", 1, 1)
    assert (line["Started"], line["Completed"]) == (0, 0)


def finished(number, outcome="completed", **more):
    return Attempt(
        task_id=f"t{number}", agent="greet", principal="me", number=1, created_ms=0, ready_ms=0,
        began_ms=number, ended_ms=2 * number, recorded_ms=3 * number, outcome=outcome, **more,
    )  # fmt: skip


def batch_of(counted, attempts, *, steps=()):
    for step in steps:
        counted.after_step(step)
    for one in attempts:
        counted.after_attempt(one)
        if one.outcome in {"completed", "failed"}:
            counted.after_task(TaskEnd.of_attempt(one))
    counted.after_batch(
        Batch(agent="greet", messages=len(attempts), began_ms=0, ended_ms=1_800_000_000_000,
              attempts=list(attempts))
    )  # fmt: skip


FULL = [
    *(finished(n) for n in range(6)),
    finished(6, "failed", error_type="Rude"),
    finished(7, "failed", error_type="module.Odd Error/ü"),
    finished(8, "retried"),
    finished(9, "handed-back"),
]
TURN = Turn(number=1, provider="anthropic", model="claude", max_tokens=10, input_tokens=5,
            cache_write_tokens=7, cache_read_tokens=11, output_tokens=13, micro_usd=17)  # fmt: skip
STEP = Step(task_id="t1", agent="greet", attempt=1, name="turn#0", began_ms=1, turn=TURN)
BROKEN = Step(task_id="t1", agent="greet", attempt=1, name="turn#1", began_ms=1, turn=TURN,
              exception=ConnectionError())  # fmt: skip


@pytest.mark.parametrize(
    "attempts",
    [pytest.param(FULL, id="full"), pytest.param([finished(1)], id="one"),
     pytest.param([finished(1, "suspended")], id="waits")],
)  # fmt: skip
def test_powertools_validates_the_line_and_would_have_written_the_same(counted, lines, attempts):
    batch_of(counted, attempts, steps=[STEP])
    [line] = lines()
    assert validate(event=line, schema=EMF) == line
    [told] = line["_aws"]["CloudWatchMetrics"]
    theirs = AmazonCloudWatchEMFProvider(namespace=told["Namespace"])
    theirs.timestamp = line["_aws"]["Timestamp"]
    for name in told["Dimensions"][0]:
        theirs.add_dimension(name, line[name])
    for metric in told["Metrics"]:
        values = line[metric["Name"]]
        for value in values if isinstance(values, list) else [values]:
            theirs.add_metric(metric["Name"], metric["Unit"], value)
    made = theirs.serialize_metric_set()
    ours = {name: [value] if isinstance(value, int) else value for name, value in line.items()}
    assert made == {**ours, "_aws": line["_aws"]}


def test_the_schema_refuses_a_line_that_is_wrong(counted, lines):
    batch_of(counted, FULL)
    [line] = lines()
    from aws_lambda_powertools.utilities.validation import SchemaValidationError

    for wrong in ({"agent": ""}, {"Started": "4"}, {"RunTime": [1] * 101}):
        with pytest.raises(SchemaValidationError):
            validate(event={**line, **wrong}, schema=EMF)


def test_a_turn_of_a_model_is_counted_as_it_was_paid(counted, lines):
    batch_of(counted, [finished(1)], steps=[STEP, BROKEN])
    [line] = lines()
    assert (line["InputTokens"], line["OutputTokens"], line["MicroDollars"]) == (46, 26, 34)
    assert line["Steps"] == 1  # the other was paid, and recorded nothing


def test_a_process_makes_metrics_of_a_few_types_only(counted, lines):
    for n in range(5):
        batch_of(counted, [finished(m, "failed", error_type=f"E{10 * n + m}") for m in range(10)])
    found = lines()
    types = {name for line in found for name in line if name.startswith("FailedByType_")}
    assert len(types) == 21
    assert summed(found, "FailedByType_Other") == 30
    assert summed(found, "Failed") == 50


def test_a_batch_in_which_nothing_was_begun_has_no_line(counted, lines):
    batch_of(counted, [])
    assert lines() == []


def test_a_full_line_is_small():
    counts = {name: 10 for name in metrics.UNITS if metrics.UNITS[name] == "Count"}
    times = {name: [123_456] * 10 for name in metrics.UNITS if name not in counts}
    line = emf_line("dev", "a-rather-long-agents-name", {**counts, **times}, now_ms=1)
    assert len(line) < 1300


def test_of_a_stage_there_is_one_in_a_process():
    assert emf_metrics("a") is emf_metrics("a") is not emf_metrics("b")


@pytest.mark.parametrize("level", ["", "ERROR"])
def test_a_function_writes_the_line_whatever_its_log_says(tmp_path, level):
    """Its log's level drops no metrics, and the line stands at the root, not within another."""
    code = (
        "from sqswarm.workers.metrics import *; from sqswarm.dispatcher.middleware import *\n"
        "from sqswarm.backends.log import configure_logging\n"
        "configure_logging(); counted = emf_metrics('dev'); add_middleware(counted)\n"
        "counted._of('greet')['Started'] += 1\n"
        "counted.flush(now_ms=1)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "AWS_LAMBDA_LOG_LEVEL": level, "AWS_LAMBDA_LOG_FORMAT": "JSON"},
    )  # fmt: skip
    [line] = ran.stdout.splitlines()
    assert metrics.tells_metrics(line)


@pytest.mark.parametrize(
    "line",
    ["", "START RequestId: 1", '{"level":"INFO","event":"Namespace sqswarm"}',
     emf_line("dev", "greet", {"Started": 1}, now_ms=1).replace('"sqswarm"', '"theirs"')],
)  # fmt: skip
def test_what_an_agent_prints_is_no_line_of_ours(line):
    assert not metrics.tells_metrics(line)
