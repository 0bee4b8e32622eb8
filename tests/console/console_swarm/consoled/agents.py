"""Agents whose tasks look in every way a task can look."""

import asyncio
from enum import StrEnum

from pydantic import BaseModel, Field

from sqswarm import Fail, TaskContext, agent

HOSTILE = (
    '<img src=x onerror="window.hacked=1"> \u202etxt.exe\u202c \x1b[31mred\x07 **bold** {{7*7}}'
)
"""What nobody's browser may take for more than text."""


class Tone(StrEnum):
    PLAIN = "plain"
    LOUD = "loud"


class Approval(BaseModel):
    approved: bool
    reason: str = Field(default="", max_length=200)


class Summary(BaseModel):
    text: str
    words: int


@agent(max_attempts=2, timeout=60)
async def summarise(
    text: str, sentences: int = 3, tone: Tone = Tone.PLAIN, *, ctx: TaskContext
) -> Summary:
    """Say in a few sentences what a text says."""
    if not text.strip():
        raise Fail("there is no text to summarise")
    ctx.log.info("text.summarised", characters=len(text))
    said = ".".join(text.split(".")[:sentences])
    return Summary(text=said.upper() if tone is Tone.LOUD else said, words=len(said.split()))


@agent(max_attempts=1)
async def refuse(text: str = "") -> str:
    """Never does it, and says so in a hostile way."""
    raise Fail(f"not this: {text or HOSTILE}")


@agent(max_attempts=2, timeout=30)
async def flaky(fail_before: int = 1, *, ctx: TaskContext) -> str:
    """Fail until enough attempts were made."""
    if ctx.attempt <= fail_before:
        raise ConnectionError(f"attempt {ctx.attempt}: connection reset by peer")
    return f"it took {ctx.attempt} attempts"


@agent(durability="durable", timeout=60)
async def report(topic: str, sections: int = 3, *, ctx: TaskContext) -> str:
    """Write a report: an outline, a summary a section by other tasks, and somebody's approval."""

    async def outline() -> list[str]:
        await asyncio.sleep(0.2)
        return [f"{topic}: section {number}." for number in range(sections)]

    planned = await ctx.step("outline", outline)
    parts = await ctx.gather(*[ctx.call(summarise, text=text) for text in planned])
    answer = await ctx.ask("approve", f"Publish the report on {topic}?", Approval)
    if not answer.approved:
        raise Fail("nobody approved it")
    return "\n".join(part.text for part in parts)


@agent(timeout=60)
async def wait_for(seconds: float = 1.0) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return f"waited {seconds} s"
