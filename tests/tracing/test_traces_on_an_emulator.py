"""Traces of real functions on an emulator, as an OTLP receiver has them; one worker is killed."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver

from sqswarm.dispatcher import middleware
from sqswarm.testing.fake_claude import Script, fake_claude

pytestmark = [pytest.mark.localstack, pytest.mark.proof]  # a minute, most of it waits

HERE = Path(__file__).parent
WORDS = ("plain", "flaky", "deadly")
MS = 1_000_000


def scene(word):
    calls = [{"tool": name, "input": {"word": word}} for name in ("count", "check")]
    return {"when": word, "turns": [{"use": calls}, {"say": f"{word} is edited"}]}


@pytest.fixture(scope="module")
def receiver():
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def claude():
    with fake_claude(Script.of({"scenes": [scene(word) for word in WORDS]})) as claude:
        yield claude


@pytest.fixture(scope="module")
def swarm(emulator, receiver, claude):
    from sqswarm import Swarm
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.options import TracingOptions
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTHROPIC_BASE_URL", claude.base_url)
        patch.setenv("SQSWARM_STAGE", "traces")
        patch.syspath_prepend(str(HERE / "three_levels"))
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        project = replace(find_project(HERE / "three_levels"), tracing=TracingOptions(env=env))
        deploy(settings_from_environment(), plan(project, stage="traces"), Reports())
        with Swarm.connect() as connected:
            yield connected


@pytest.fixture(scope="module")
def spans(swarm, receiver):
    """The spans of one map over three levels, submitted within a span of its caller's."""
    from sqswarm.dispatcher.otel import Tracing
    from sqswarm.dispatcher.otel.provider import provider_of

    with pytest.MonkeyPatch.context() as patch:  # the SDK reads it from the environment
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        provider = provider_of(os.environ)
    tracing = Tracing(provider)
    middleware.add_middleware(tracing)
    try:
        with provider.get_tracer("caller").start_as_current_span("caller"):
            task = swarm.submit("direct", words=list(WORDS))
        assert task.result(timeout=120) == [f"{word} is edited" for word in WORDS]
    finally:
        middleware.remove_middleware(tracing)
        provider.shutdown()
    return receiver


def test_a_map_over_three_levels_is_one_trace_without_orphans(spans):
    [caller] = spans.named("caller")
    lone = {s.trace_id for s in spans.spans if s.name.startswith("batch ")}
    assert {s.trace_id for s in spans.spans} - lone == {caller.trace_id}
    assert spans.orphans() == []
    assert spans.twice() == []
    tasks = Counter(s.name for s in spans.named("task "))
    assert tasks == {"task direct": 1, "task editor": 3, "task check": 3}
    assert spans.tree(caller.trace_id)[:3] == ["caller", "  submit direct", "    task direct"]
    linked = {link for span in spans.named("batch ") for link in span.links}
    runs = [s for s in spans.named("attempt ") if s.attributes["sqswarm.outcome"] != "lost"]
    assert {(s.trace_id, s.span_id) for s in runs} == linked


def test_the_worker_that_was_killed_is_told_of_by_the_next(spans):
    outcomes = Counter(s.attributes["sqswarm.outcome"] for s in spans.named("attempt check"))
    assert outcomes == {"lost": 1, "retried": 1, "completed": 3}
    [lost] = [s for s in spans.named("attempt check") if s.attributes["sqswarm.outcome"] == "lost"]
    assert lost.failed
    [after] = [s for s in spans.spans if s.parent == lost.parent and s.start == lost.end]
    assert after.name == "redelivery check"


def test_waits_and_runs_add_up_to_each_tasks_own_time(spans):
    for task in spans.named("task "):
        parts = [s for s in spans.spans if s.parent == task.span_id and "task " not in s.name]
        spent = sum(s.end - s.start for s in parts)
        # A wait is recorded a moment after its run has ended.
        assert abs(spent - (task.end - task.start)) <= 0.02 * (task.end - task.start) + 100 * MS


def test_model_and_tools_speak_genais_conventions_once(spans, claude):
    calls = [s for s in spans.spans if s.attributes.get("gen_ai.operation.name") == "chat"]
    assert len(calls) == len(claude.paid)
    assert (
        sum(s.attributes["gen_ai.usage.output_tokens"] for s in calls)
        == (claude.usage()["output_tokens"])
    )
    assert {s.attributes["gen_ai.request.model"] for s in calls} == {"claude-sonnet-5-5"}
    turns = {s.span_id: s for s in spans.named("turn ")}
    assert {s.parent for s in calls} == set(turns)
    assert all(s.attributes["sqswarm.micro_usd"] > 0 for s in turns.values())
    tools = spans.named("execute_tool count")
    assert len(tools) == len(WORDS)
    assert {s.attributes["gen_ai.tool.name"] for s in tools} == {"count"}


def test_no_secret_is_in_a_span(spans):
    said = repr(spans.spans)
    assert "[secret]" in said
    assert "ghp_" not in said
    assert "Edit" not in said  # nor what people wrote
