"""The middlewares of docs/middleware.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "middleware.md").read_text()
SNIPPETS = {
    re.search(r"class (\w+)", code)[1]: code
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
}

BEFORE = """
import asyncio, sys
from memory_swarm import MemorySwarm
from sqswarm import Fail, TaskContext, agent
"""

SWARM = """
@agent(timeout=20)
async def greet(name: str, *, ctx: TaskContext) -> str:
    if name == "never":
        raise Fail("no", type="Rude")
    return await ctx.step("write", lambda: told(name))

def told(name):
    return name

@agent(timeout=20)
async def pass_on(name: str, *, ctx: TaskContext) -> str:
    return await ctx.call("greet", name=name)

async def outcome(memory, task):
    view = await memory.see(task)
    return view.result() if view.status.value == "completed" else view.status.value

async def main(*names):
    memory = MemorySwarm(greet, pass_on)
    tasks = [await memory.submit(pass_on, name=name) for name in names]
    await memory.settle_down()
    return [await outcome(memory, task) for task in tasks]
"""


@pytest.fixture
def run(tmp_path):
    def run(name, *, before="", after):
        return _run(tmp_path / "program.py", name, before, after)

    return run


def _run(file, name, before, after):
    code = "\n".join([BEFORE, before, SNIPPETS[name], SWARM, after])
    file.write_text(code)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("OTEL_")}
    ran = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "middleware.failed" not in ran.stderr + ran.stdout
    return ran.stdout


def test_every_middleware_of_the_page_is_run_here():
    assert SNIPPETS.keys() == {"Slow", "Sentry", "SendAll", "Tenant"}


def test_the_first_one(run):
    told = run(
        "Slow",
        after="""
clock = []
def told(name):
    clock.append(name)
    return name
@agent(timeout=20)
async def slow() -> str:
    memory.clock.advance(seconds=11)
    return "done"
async def late():
    global memory
    memory = MemorySwarm(slow)
    await memory.submit(slow)
    await memory.settle_down()
asyncio.run(late())
""",
    )
    assert told.startswith("slow took long: task ")


def test_sentry_gets_what_attempts_raise_with_its_task(run):
    told = run(
        "Sentry",
        before="""
import sentry_sdk
from sentry_sdk.transport import Transport
class Kept(Transport):
    events = []
    def capture_envelope(self, envelope):
        self.events += [item.payload.json for item in envelope.items if item.type == "event"]
_init = sentry_sdk.init
sentry_sdk.init = lambda **more: _init(dsn="https://a@b.invalid/1", transport=Kept, **more)
""",
        after="""
asyncio.run(main("Ada", "never"))
for event in Kept.events:
    [value] = event["exception"]["values"]
    print(value["type"], event["level"], event["tags"]["agent"], event["tags"]["outcome"])
    print(event["user"]["id"], value["stacktrace"] is not None)
""",
    )
    lines = told.splitlines()
    assert "Fail error greet failed" in lines
    assert "me True" in lines


def test_logfire_has_the_swarms_spans_among_its_own(run):
    told = run(
        "SendAll",
        before="""
import logfire
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
_configure = logfire.configure
def configure(**more):
    processors = [SimpleSpanProcessor(kept)]
    _configure(console=False, additional_span_processors=processors, **more)
logfire.configure = configure
""",
        after="""
def told(name):
    with logfire.span("mine"):
        return name
assert asyncio.run(main("Ada")) == ["Ada"]
spans = {span.name: span for span in kept.get_finished_spans()}
one, line = spans["mine"], []
while one:
    line.append(one.name)
    parent = one.parent and one.parent.span_id
    one = next((s for s in kept.get_finished_spans() if s.context.span_id == parent), None)
print(" < ".join(line))
""",
    )
    assert told.strip().splitlines()[-1] == (
        "mine < step write < attempt greet < task greet < task pass_on < submit pass_on"
    )


def test_a_tenants_name_reaches_the_children(run):
    told = run(
        "Tenant",
        after="""
def told(name):
    return f"{tenant.get()} greets {name}"
tenant.set("acme")
print(asyncio.run(main("Ada")))
""",
    )
    assert told.strip() == "['acme greets Ada']"


@pytest.mark.proof
def test_their_types_are_right(tmp_path):
    for name, code in SNIPPETS.items():
        (tmp_path / f"{name.lower()}.py").write_text(code)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        timeout=500,
    )
    mine = tuple(f"{name.lower()}.py" for name in SNIPPETS)
    found = [line for line in ran.stdout.splitlines() if line.startswith(mine) and "error" in line]
    assert not found, ran.stdout
