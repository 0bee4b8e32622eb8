"""What a type checker says of calls that are given the agent itself: reveal_type and errors."""

import re
import subprocess
import sys

import pytest

AGENTS = """
from __future__ import annotations
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pydantic import BaseModel
from sqswarm import Agent, AsyncSwarm, ClaudeAgent, Request, Swarm, TaskContext, agent
from sqswarm.testing import MemorySwarm

class Customer(BaseModel):
    name: str

@dataclass
class Score:
    points: int

class Tier(Enum):
    FREE = "free"

@agent
def grade(customer: Customer, top: int = 3) -> Score:
    return Score(points=top)

@agent(max_attempts=5)
async def since(customer: Customer) -> date:
    return date(2026, 11, 30)

@agent
async def enrich(ctx: TaskContext, customer: Customer, tier: Tier = Tier.FREE) -> list[Score]:
    reveal_type(await ctx.call(grade, customer=customer))       # Score
    reveal_type(await ctx.call(since, customer))                # date
    reveal_type(await ctx.call("grade", customer=customer))     # Any
    reveal_type(ctx.task(since, customer=customer))             # ChildTask[date]
    reveal_type(ctx.task(since, customer=customer, session_id="s"))  # ChildTask[date]
    reveal_type(ctx.task(enrich, customer=customer))            # ChildTask[list[Score]]
    reveal_type(await ctx.map(grade, [{"customer": customer}])) # list[Score]
    reveal_type(await ctx.map("grade", [{}]))                   # list[Any]
    reveal_type(await ctx.map(grade, [{}], return_exceptions=True))  # list[Score | ChildFailed]
    return []

@agent
def count(ctx: TaskContext) -> int:
    return 1

claude = ClaudeAgent("desk", model="claude-sonnet-5-5")
c = Customer(name="Ada")
"""

BLOCKING = """
def use(swarm: Swarm) -> None:
    reveal_type(swarm.submit(grade, customer=c))                # Task[Score]
    reveal_type(swarm.submit(grade, c, 5).result())             # Score
    reveal_type(swarm.submit(since, customer=c).result(timeout=3))  # date
    reveal_type(swarm.submit(enrich, customer=c, tier=Tier.FREE).result())  # list[Score]
    reveal_type(swarm.submit(count).result())                   # int
    reveal_type(swarm.submit("grade", customer=c, top=1).result())  # Any
    reveal_type(swarm.submit(claude, prompt="hello").result())  # Any
    reveal_type(swarm.submit(grade, customer=c, idempotency_key="k", delay=5).result())  # Score
    reveal_type(swarm.submit(enrich, customer=c, tags={"a": "b"}).result())  # list[Score]
    reveal_type(swarm.submit_many(since, [Request(arguments={"customer": c})]))  # list[Task[date]]
    reveal_type([done.result() for done in swarm.map(since, [{}])])  # list[date]
    reveal_type([done.value for done in swarm.map(grade, [{}])])  # list[Score | None]
    reveal_type([done.value for done in swarm.map("grade", [{}])])  # list[Any | None]
    reveal_type([t.result() for t in swarm.wait([swarm.submit(grade, c)])])  # list[Score]
    reveal_type(swarm.task("id").result())                      # Any
    reveal_type(grade(c, top=2))                                # Score

def bad(swarm: Swarm) -> None:
    swarm.submit(grade, custumer=c)          # error
    swarm.submit(grade, customer=7)          # error
    swarm.submit(grade)                      # error
    swarm.submit(grade, customer=c, top="x") # error
    swarm.submit(since, customer=c, top=1)   # error
    swarm.submit(enrich, tier=Tier.FREE)     # error
    swarm.submit(enrich, customer=c, tier="free")  # error
    swarm.submit(count, 1)                   # error
    x: int = swarm.submit(grade, customer=c).result()  # error
"""

AWAITED = """
async def use(swarm: AsyncSwarm) -> None:
    task = await swarm.submit(grade, customer=c)
    reveal_type(task)                                           # AsyncTask[Score]
    reveal_type(await task.result())                            # Score
    reveal_type(await (await swarm.submit(enrich, c)).result()) # list[Score]
    reveal_type(await swarm.submit(since, customer=c, delay=1)) # AsyncTask[date]
    reveal_type(await swarm.submit("since", customer=c))        # AsyncTask[Any]
    reveal_type(await swarm.submit_many(since, []))             # list[AsyncTask[date]]
    reveal_type([done.result() async for done in swarm.map(since, [{}])])  # list[date]
    reveal_type([await t.result() async for t in swarm.wait([task])])  # list[Score]

async def bad(swarm: AsyncSwarm, ctx: TaskContext) -> None:
    await swarm.submit(grade, custumer=c)            # error
    await swarm.submit(enrich, customer=c, tier=1)   # error
    await ctx.call(grade, custumer=c)                # error
    await ctx.call(enrich, c, "free")                # error
    ctx.task(since, customer="c")                    # error
"""

MEMORY = """
def use(memory: MemorySwarm) -> None:
    reveal_type(memory.submit(grade, customer=c).result())      # Score
    reveal_type(memory.submit(enrich, customer=c).result())     # list[Score]
    reveal_type([done.result() for done in memory.map(since, [{}])])  # list[date]

def bad(memory: MemorySwarm) -> None:
    memory.submit(grade, custumer=c)         # error
"""

WITH_PLUGIN = """
@agent
async def score(customer: Customer, top: int = 3, *, ctx: TaskContext) -> Score:
    return Score(points=top)

async def use(swarm: Swarm, other: AsyncSwarm, memory: MemorySwarm, ctx: TaskContext) -> None:
    reveal_type(swarm.submit(score, customer=c))                # Task[Score]
    reveal_type(swarm.submit(score, c, top=2, delay=5).result())  # Score
    reveal_type(await other.submit(score, customer=c, tags={}))  # AsyncTask[Score]
    reveal_type(memory.submit(score, customer=c))               # Task[Score]
    reveal_type(await ctx.call(score, c))                       # Score
    reveal_type(ctx.task(score, c, session_id="s"))             # ChildTask[Score]
    reveal_type(swarm.submit(count, idempotency_key="k"))       # Task[int]
    reveal_type(swarm.submit(claude, prompt="hello", delay=1))  # Task[Any]
    reveal_type(swarm.submit("score", anything=1))              # Task[Any]
    reveal_type(swarm.task("id"))                               # Task[Any]

async def bad(swarm: Swarm, other: AsyncSwarm, memory: MemorySwarm, ctx: TaskContext) -> None:
    swarm.submit(score, custumer=c)                  # error
    swarm.submit(score, customer=c, delay="x")       # error
    swarm.submit(grade, customer=7, delay=1)         # error
    await other.submit(score, customer=c, top="x")   # error
    memory.submit(score)                             # error
    await ctx.call(score, customer=c, delay=1)       # error
    ctx.task(since, customer="c", session_id="s")    # error
"""

REVEALED = re.compile(r"reveal_type\(.*\)\s+# (.+)")


def plain(revealed):
    """A type without the modules that its parts are from."""
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", revealed).replace("def (", "(")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.proof
@pytest.mark.parametrize(
    ("text", "options"),
    [
        pytest.param(BLOCKING, "", id="Swarm"),
        pytest.param(AWAITED, "", id="AsyncSwarm"),
        pytest.param(MEMORY, "", id="MemorySwarm"),
        pytest.param(WITH_PLUGIN, "plugins = sqswarm.mypy_plugin", id="with-our-plugin"),
    ],
)
def test_mypy_sees_arguments_and_results(tmp_path, cache, text, options):
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = true\n{options}\n")
    file = tmp_path / "snippet.py"
    file.write_text(AGENTS + text)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", cache, file],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    said = [
        (int(number), kind, told)
        for number, kind, told in re.findall(r"snippet\.py:(\d+): (note|error): (.*)", run.stdout)
    ]
    lines = file.read_text().splitlines()
    revealed = {
        number: plain(told.removeprefix("Revealed type is ").strip('"'))
        for number, kind, told in said
        if told.startswith("Revealed type")
    }
    wanted = {
        number: found[1].strip()
        for number, line in enumerate(lines, 1)
        if (found := REVEALED.search(line))
    }
    assert revealed == wanted, run.stdout + run.stderr
    errors = {number for number, kind, _ in said if kind == "error"}
    wrong = {number for number, line in enumerate(lines, 1) if line.endswith("# error")}
    assert wrong
    assert errors == wrong, run.stdout
