"""Spans: one a task, whoever lives and dies; sampled as one; without secrets; sent in time."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_receiver import OtlpReceiver

from sqswarm import Fail, TaskContext, Tracing, agent
from sqswarm.dispatcher import middleware, tracing
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.otel.provider import provider_of
from sqswarm.dispatcher.publish import publish
from sqswarm.schemas.ids import new_traceparent

MS = 1_000_000


@agent(timeout=20, max_attempts=2)
async def greet(name: str, *, ctx: TaskContext) -> str:
    if name == "flaky" and ctx.attempt == 1:
        raise ConnectionError("no route to postgres://me:hunter2hunter2@db/x")
    if name == "never":
        raise Fail("no", type="Rude")
    return await ctx.step("write", lambda: f"hello {name}")


@agent(timeout=20)
async def both(*, ctx: TaskContext) -> list[str]:
    return await ctx.map("greet", [{"name": name} for name in ("Ada", "flaky")])


@agent(timeout=20, topics=["names"])
async def listen(name: str) -> str:
    return name


@pytest.fixture
def receiver():
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def traced(receiver, monkeypatch):
    """Trace what happens within, as a process of its own would."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)

    @contextlib.contextmanager
    def within(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        provider = provider_of(os.environ)
        made = Tracing(provider)
        middleware.add_middleware(made)
        try:
            yield provider
        finally:
            middleware.remove_middleware(made)
            provider.shutdown()

    return within


async def test_a_trace_that_begins_with_a_task_has_the_task_as_its_root(traced, receiver):
    memory = MemorySwarm(greet, both)
    await memory.submit(both)  # nobody traces yet
    with traced():
        await memory.settle_down()
        memory.clock.advance(seconds=60)
        await memory.settle_down()
    [trace_id] = {s.trace_id for s in receiver.spans if not s.name.startswith("batch")}
    assert receiver.orphans() == receiver.twice() == []
    tree = receiver.tree(trace_id)
    assert tree[0] == "task both"
    assert sorted(tree[1:]) == sorted(
        [
            *(
                "  queue both",
                "  attempt both",
                "  children both",
                "  queue both",
                "  attempt both",
            ),
            *("  task greet", "    queue greet", "    attempt greet", "      step write"),
            *("  task greet", "    queue greet", "    attempt greet"),
            *("    backoff greet", "    attempt greet", "      step write"),
        ]
    )
    [failed] = [s for s in receiver.named("attempt greet") if s.failed]
    assert failed.attributes["error.type"] == "ConnectionError"
    assert failed.attributes["sqswarm.outcome"] == "retried"
    assert "hunter2" not in repr(receiver.spans)
    check_tiles(receiver, "both")
    check_tiles(receiver, "greet")


async def test_a_batch_is_linked_to_its_attempts(traced, receiver):
    memory = MemorySwarm(greet)
    with traced():
        for name in ("Ada", "Bo"):
            await memory.submit(greet, name=name)
        await memory.work(greet)
    [batch] = receiver.named("batch greet")
    attempts = {(s.trace_id, s.span_id) for s in receiver.named("attempt greet")}
    assert set(batch.links) == attempts
    assert len(attempts) == 2
    assert batch.attributes["messaging.batch.message_count"] == 2
    assert batch.trace_id not in {trace_id for trace_id, _ in attempts}


async def test_a_callers_trace_and_baggage_are_continued_and_end_in_the_children(traced, receiver):
    seen = []

    @agent(name="look", timeout=20)
    async def look() -> str:
        seen.append(baggage.get_baggage("tenant"))
        return "seen"

    @agent(name="pass_on", timeout=20)
    async def pass_on(*, ctx: TaskContext) -> str:
        return await ctx.call("look")

    memory = MemorySwarm(look, pass_on)
    with traced() as provider:
        token = otel_context.attach(baggage.set_baggage("tenant", "acme"))
        with provider.get_tracer("mine").start_as_current_span("caller") as span:
            await memory.submit(pass_on)
        otel_context.detach(token)
        await memory.settle_down()
    assert seen == ["acme"]
    trace_id = f"{span.get_span_context().trace_id:032x}"
    assert receiver.tree(trace_id)[:3] == ["caller", "  submit pass_on", "    task pass_on"]
    assert receiver.orphans() == []


async def test_an_event_is_one_trace_of_all_who_heard_it(traced, receiver):
    memory = MemorySwarm(listen)
    with traced():
        await publish(memory.connection, "names", [{"name": "Ada"}])
        await memory.settle_down()
    [submitted] = receiver.named("submit names")
    assert receiver.tree(submitted.trace_id)[:2] == ["submit names", "  task listen"]


async def test_a_redriven_task_goes_on_in_the_old_ones_trace(traced, receiver):
    memory = MemorySwarm(greet)
    with traced():
        failed = await memory.submit(greet, name="never")
        await memory.settle_down()
        await redrive(memory.connection, failed, agent="greet")
        await memory.settle_down()
    [first, second] = receiver.named("task greet")
    assert first.trace_id == second.trace_id
    tree = receiver.tree(first.trace_id)
    assert tree[:2] == ["submit greet", "  task greet"]
    assert "    submit greet" in tree
    assert "      task greet" in tree
    assert receiver.orphans() == []
    assert first.failed
    assert first.attributes["error.type"] == "Rude"


async def test_a_cancelled_task_has_its_span_too(traced, receiver):
    memory = MemorySwarm(greet)
    with traced():
        task_id = await memory.submit(greet, {"durable": True}, name="Ada")
        await cancel(memory.connection, task_id, agent="greet")
    [ended] = receiver.named("task greet")
    assert ended.attributes["sqswarm.status"] == "cancelled"
    assert not ended.failed


async def test_queue_wait_and_run_add_up_to_the_tasks_own_time(traced, receiver):
    @agent(name="slow", timeout=60)
    async def slow(*, ctx: TaskContext) -> str:
        memory.clock.advance(seconds=7)
        return "done"

    memory = MemorySwarm(slow)
    with traced():
        await memory.submit(slow)
        memory.clock.advance(seconds=5)
        await memory.work(slow)
    [task], [queue], [run] = (
        receiver.named(f"{what} slow") for what in ("task", "queue", "attempt")
    )
    assert queue.end - queue.start == 5000 * MS
    assert run.end - run.start == 7000 * MS
    assert (queue.start, queue.end, run.end) == (task.start, run.start, task.end)


async def test_a_worker_that_is_lost_takes_no_parent_with_it(traced, receiver):
    """Its attempt's spans were never sent; what others sent hangs on none of them."""

    @agent(name="dies", timeout=20, max_attempts=3)
    async def dies(*, ctx: TaskContext) -> str:
        await ctx.step("look", lambda: "seen")
        if not dead.is_set():
            dead.set()
            await asyncio.Event().wait()
        return await ctx.call("greet", name="Ada")

    dead = asyncio.Event()
    memory = MemorySwarm(dies, greet)
    await memory.submit(dies)
    with traced() as provider:
        killed = asyncio.ensure_future(memory.work(dies))
        await dead.wait()
        provider.force_flush()
        assert receiver.named("step") == []  # below an attempt that has not ended
    killed_spans = list(receiver.spans)
    receiver.spans.clear()  # the queue's wait is known, and nothing else
    assert {s.name for s in killed_spans} <= {"queue dies", "step look"}
    memory.clock.advance(seconds=dies.spec.visibility_s + 1)
    with traced():
        await memory.settle_down()
    killed.cancel()
    [trace_id] = {s.trace_id for s in receiver.spans if not s.name.startswith("batch")}
    assert receiver.orphans() == receiver.twice() == []
    lost = [s for s in receiver.named("attempt dies") if s.attributes["sqswarm.outcome"] == "lost"]
    assert [span.attributes["error.type"] for span in lost] == ["lost"]
    assert "task greet" in [line.strip() for line in receiver.tree(trace_id)]
    check_tiles(receiver, "dies")


def check_tiles(receiver, agent):
    """A task's stretches follow one another from its creation to its end, without a gap."""
    for task in receiver.named(f"task {agent}"):
        parts = [s for s in receiver.spans if s.parent == task.span_id and "task" not in s.name]
        parts.sort(key=lambda span: (span.start, span.end))
        assert parts[0].start == task.start
        assert [s.start for s in parts[1:]] == [s.end for s in parts[:-1]], [s.name for s in parts]
        assert parts[-1].end == task.end
        assert sum(s.end - s.start for s in parts) == task.end - task.start


async def test_waits_and_runs_add_up_however_a_task_goes(traced, receiver):
    @agent(name="winding", timeout=60, max_attempts=3)
    async def winding(*, ctx: TaskContext) -> str:
        memory.clock.advance(seconds=3)
        if not broke:
            broke.append(1)
            raise ConnectionError("once")
        await ctx.sleep(30)
        await ctx.call("greet", name="Ada")
        said = await ctx.ask("sure", "Sure?", bool)
        memory.clock.advance(seconds=2)
        return str(said)

    broke = []
    memory = MemorySwarm(winding, greet)
    with traced():
        task_id = await memory.submit(winding)
        memory.clock.advance(seconds=4)
        for _ in range(4):
            await memory.settle_down()
            await memory.housekeep(minutes=1)
        memory.clock.advance(seconds=100)
        await answer(memory.connection, task_id, "sure", {"value": True})
        await memory.housekeep(minutes=3)
        assert (await memory.see(task_id)).result() == "True"
    check_tiles(receiver, "winding")
    names = {span.name for span in receiver.spans}
    whats = ("queue", "backoff", "sleep", "children", "ask sure")
    assert names >= {f"{what} winding" for what in whats}
    assert receiver.orphans() == receiver.twice() == []


@pytest.mark.parametrize("share", ["0.0", "1.0", "0.5"])
async def test_a_trace_is_kept_whole_or_not_at_all(traced, receiver, share):
    memory = MemorySwarm(greet, both)
    for _ in range(8):
        await memory.submit(both)
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": share}
    for _ in range(2):
        with traced(**sampler):
            await memory.settle_down()
        memory.clock.advance(seconds=60)
    kept = {t: s for t, s in receiver.traces().items() if not s[0].name.startswith("batch")}
    assert receiver.orphans() == []
    assert all(len(spans) == 16 for spans in kept.values()), [len(s) for s in kept.values()]
    assert {"0.0": [0], "1.0": [8], "0.5": range(1, 8)}[share].__contains__(len(kept))


async def test_a_caller_that_does_not_sample_is_heeded(traced, receiver):
    memory = MemorySwarm(greet)
    with (
        traced(OTEL_TRACES_SAMPLER="parentbased_always_off") as provider,
        provider.get_tracer("mine").start_as_current_span("caller"),
    ):
        await memory.submit(greet, name="Ada")
    with traced(OTEL_TRACES_SAMPLER="parentbased_always_on"):
        await memory.work(greet)
    assert [s.name for s in receiver.spans] == ["batch greet"]


async def test_secrets_are_in_no_span_whoever_made_it(traced, receiver, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "correct-horse-battery")

    @agent(name="tells", timeout=20, max_attempts=1)
    async def tells(*, ctx: TaskContext) -> str:
        mine = trace.get_tracer("mine", tracer_provider=provider)
        with mine.start_as_current_span("correct-horse-battery") as span:
            span.set_attribute("asked", ["with correct-horse-battery"])
            span.add_event("said", {"what": "ghp_" + 36 * "a"})
        raise RuntimeError("correct-horse-battery")

    memory = MemorySwarm(tells)
    with traced() as provider:
        await memory.submit(tells)
        await memory.work(tells)
    told = repr(receiver.spans)
    assert "correct-horse-battery" not in told
    assert "ghp_" not in told
    assert told.count("[secret]") >= 5


async def test_a_collector_that_hangs_keeps_no_function_for_long(traced, receiver):
    memory = MemorySwarm(greet)
    receiver.stall.clear()
    with traced():
        await memory.submit(greet, name="Ada")
        deliveries = await memory.bus.receive(memory.queue(greet), limit=1, wait_s=0)
        began = time.monotonic()
        await memory.runtimes["greet"].handle(deliveries, budget_s=15.0)
        waited_s = time.monotonic() - began
        receiver.stall.set()
    assert 1.0 < waited_s < 4.0
    assert receiver.named("task greet")  # sent late


async def test_a_functions_spans_are_sent_before_it_freezes(traced, receiver):
    memory = MemorySwarm(greet)
    with traced(OTEL_BSP_SCHEDULE_DELAY="60000"):
        await memory.submit(greet, name="Ada")
        deliveries = await memory.bus.receive(memory.queue(greet), limit=1, wait_s=0)
        await memory.runtimes["greet"].handle(deliveries, budget_s=15.0)
        names = {s.name for s in receiver.spans}
    assert names >= {"task greet", "attempt greet", "step write", "queue greet", "batch greet"}


async def test_traces_cost_no_call(traced, receiver):
    counted = []
    for on in (contextlib.nullcontext, traced):
        memory = MemorySwarm(greet, both)
        with on(), memory.counting() as counts:
            await memory.submit(both)
            await memory.settle_down()
            memory.clock.advance(seconds=60)
            await memory.settle_down()
        counted.append(dict(counts))
    assert counted[0] == counted[1]
    assert receiver.named("task both")


XRAY = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def follows_xray(monkeypatch):
    monkeypatch.setattr(tracing._State, "xray", True)


async def test_a_trace_of_xray_is_continued_from_a_message(traced, receiver, follows_xray):
    memory = MemorySwarm(greet)
    await memory.submit(greet, name="Ada")
    deliveries = await memory.bus.receive(memory.queue(greet), limit=1, wait_s=0)
    bare = [replace(one, body=_without_trace(one.body), xray=XRAY) for one in deliveries]
    with traced():
        await memory.runtimes["greet"].handle(bare)
    [task] = receiver.named("task greet")
    assert (task.trace_id, task.parent) == ("5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8")


async def test_a_trace_of_xray_is_continued_in_a_function(
    traced, receiver, follows_xray, monkeypatch
):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", XRAY)
    memory = MemorySwarm(greet)
    with traced():
        await memory.submit(greet, name="Ada")
        await memory.work(greet)
    [submitted] = receiver.named("submit greet")
    [batch] = receiver.named("batch greet")
    assert submitted.parent == batch.parent == "53995c3f42cd8ad8"
    [task] = receiver.named("task greet")
    assert task.trace_id == batch.trace_id == "5759e988bd862e3fe1be46a994272793"


async def test_xray_is_not_followed_where_nobody_asked_for_it(traced, receiver, monkeypatch):
    monkeypatch.setenv("_X_AMZN_TRACE_ID", XRAY)
    memory = MemorySwarm(greet)
    with traced():
        await memory.submit(greet, name="Ada")
        await memory.work(greet)
    assert receiver.orphans() == []


async def test_anothers_provider_is_used_as_it_is():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = Tracing(provider)
    middleware.add_middleware(made)
    memory = MemorySwarm(greet)
    try:
        await memory.submit(greet, name="Ada")
        await memory.work(greet)
    finally:
        middleware.remove_middleware(made)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert spans["attempt greet"].parent.span_id == spans["task greet"].context.span_id
    assert spans["task greet"].parent.span_id == spans["submit greet"].context.span_id


async def test_a_task_of_another_publisher_has_a_trace_of_its_own(traced, receiver):
    memory = MemorySwarm(greet)
    await memory.submit(greet, name="Ada")
    deliveries = await memory.bus.receive(memory.queue(greet), limit=1, wait_s=0)
    bare = [replace(one, body=_without_trace(one.body)) for one in deliveries]
    with traced():
        await memory.runtimes["greet"].handle(bare)
    assert receiver.orphans() == []
    [task] = receiver.named("task greet")
    assert task.parent == ""


def _without_trace(body):
    message = json.loads(body)
    del message["params"]["_meta"]["traceparent"]
    return json.dumps(message)


def python(code, **environment):
    clean = {n: v for n, v in os.environ.items() if not n.startswith("OTEL_")}
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={**clean, **environment},
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


WORKER = """
import sys
import sqswarm.workers.hosts.lambda_handler, sqswarm.workers.hosts.housekeeping
from sqswarm.dispatcher.tracing import start_tracing
import os
start_tracing(os.environ)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"opentelemetry", "google"}))
"""


def test_nothing_of_opentelemetry_is_loaded_where_nobody_asks_for_it():
    assert python(WORKER) == "[]\n"
    assert python(WORKER, OTEL_SDK_DISABLED="true", OTEL_TRACES_EXPORTER="otlp") == "[]\n"
    assert python(WORKER, OTEL_TRACES_EXPORTER="none", OTEL_EXPORTER_OTLP_ENDPOINT="x") == "[]\n"
    asked = python(WORKER, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert "opentelemetry" in asked


def test_what_keeps_it_from_tracing_is_logged_and_harms_nobody():
    code = """
        import os, sys
        from sqswarm.backends.log import Log
        from sqswarm.dispatcher.tracing import is_tracing, start_tracing
        if os.environ.get("HIDE"):
            sys.modules["opentelemetry"] = None
        start_tracing(os.environ, log=Log.to(sys.stdout))
        print(is_tracing())
    """
    missing = python(code, HIDE="1", OTEL_TRACES_EXPORTER="otlp")
    assert "sqswarm[otel]" in missing
    assert missing.endswith("False\n")
    unknown = python(code, OTEL_TRACES_EXPORTER="pigeon")
    assert "pigeon" in unknown
    assert unknown.endswith("False\n")


def test_a_fresh_trace_context_is_continued_by_any_library():
    from opentelemetry.propagate import extract

    context = extract({"traceparent": new_traceparent(lambda bits: (1 << bits) - 3)})
    assert trace.get_current_span(context).get_span_context().is_valid
