"""Agents that succeed, fail and misbehave on request; each notes its runs in a file."""

import asyncio
import os
import time
from pathlib import Path

from pydantic import BaseModel

import probe.counting  # noqa: F401 - counts where its environment says so
from sqswarm import Fail, Subscription, TaskContext, agent


def note(path: str, line: str) -> None:
    """Append one line to a file that every process on this machine sees."""
    if path:
        with Path(path).open("a") as file:
            file.write(line + "\n")


class Echoed(BaseModel):
    """What echo gives back."""

    text: str
    attempt: int
    pid: int


@agent(timeout=10, topics=["words"])
async def echo(text: str, notes: str = "", *, ctx: TaskContext) -> Echoed:
    """Give the text back, and say who ran it."""
    note(notes, f"{text} {ctx.attempt} {time.time()}")
    ctx.log.info("echo.ran", text=text[:50])
    return Echoed(text=text, attempt=ctx.attempt, pid=os.getpid())


@agent(timeout=10, max_attempts=3)
async def moody(mood: str, notes: str = "", *, ctx: TaskContext) -> str:
    """Do what the mood says."""
    note(notes, f"{mood} {ctx.attempt} {time.time()}")
    if mood == "raises":
        raise KeyError(mood)
    if mood == "fails":
        raise Fail("never")
    if mood == "lies":
        return 3  # type: ignore[return-value]
    return mood


@agent(timeout=2, max_attempts=2, batch=2)
def stubborn(action: str, notes: str = "") -> str:
    """Hang past the time-out, die, or behave: a plain function."""
    note(notes, f"{action} {time.time()}")
    if action == "hang":
        time.sleep(60)
    if action == "die":
        os._exit(7)
    return action


@agent(timeout=2, max_attempts=3)
def mortal(notes: str) -> int:
    """Die at the first run; return how many there were."""
    note(notes, "run")
    times = len(Path(notes).read_text().splitlines())
    if times == 1:
        os._exit(7)
    return times


LOUD = Subscription(topic="words", types=("loud",))


@agent(timeout=10, durability="durable", topics=[LOUD, "proclaimed"])
async def shout(text: str, notes: str = "") -> str:
    """Give the text back in capitals."""
    await asyncio.sleep(0)
    return text.upper()


@agent(timeout=10, durability="lean")
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


CALLS = "/tmp/sqswarm-probe-calls"
"""Where `counted` counts its process's AWS calls; the same for every process on this machine."""


@agent(timeout=10, env={"PROBE_CALLS": CALLS})
async def counted(number: int) -> int:
    """Give the number back."""
    return number


class Approval(BaseModel):
    """What a person says."""

    approved: bool


@agent(timeout=10)
async def orchestrate(width: int, notes: str = "", *, ctx: TaskContext) -> dict[str, int | bool]:
    """Do a step, fan out to children, ask a person, sleep a moment."""

    def first() -> int:
        note(notes, "step")
        return 7

    seven = await ctx.step("first", first)
    sums = await ctx.map("add", [{"a": n} for n in range(width)])
    answer = await ctx.ask("approve", f"Use the sum {sum(sums)}?", Approval)
    await ctx.sleep(1)
    await ctx.step("last", lambda: note(notes, "last"))
    return {"seven": seven, "sum": sum(sums), "approved": answer.approved}


class Proclaimed(BaseModel):
    """What is proclaimed, to be noted."""

    text: str
    notes: str = ""


@agent(timeout=10, publishes="proclaimed")
async def proclaim(text: str, times: int = 1, notes: str = "") -> Proclaimed:
    """Say it so often, to whoever listens."""
    return Proclaimed(text=text * times, notes=notes)


@agent(timeout=10, joins=["proclaimed", "replies"], key="text", within="1h")
async def compare(
    text: str, proclaimed: Proclaimed | None, replies: Proclaimed | None
) -> list[str | None]:
    """Say where it was noted that this was proclaimed, and replied to."""
    return [proclaimed and proclaimed.notes, replies and replies.notes]


@agent(timeout=10, ordered=True, topics=["proclaimed"])
async def orderly(text: str, notes: str = "") -> str:
    """Note the text: tasks of one ordering key run in their order."""
    note(notes, text)
    return text
