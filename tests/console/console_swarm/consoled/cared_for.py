"""Agents for the pages of care: what fails in several ways, goes by the clock, or remembers."""

from enum import StrEnum

from pydantic import BaseModel, Field

from sqswarm import AskDeclined, Schedule, TaskContext, agent

from .agents import HOSTILE


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Order(BaseModel):
    size: Size
    number: int = Field(ge=1, le=9, description="how many")
    note: str = ""
    gift: bool = False


@agent(max_attempts=1)
async def brittle(n: int) -> int:
    """Break in two ways."""
    if n % 3 == 0:
        raise ValueError(f"three: {HOSTILE}")
    raise ConnectionError("connection reset by peer")


@agent(timeout=30, schedule=Schedule(expression="cron(0 8 1 1 ? *)", arguments={"day": HOSTILE}))
async def tidy(day: str) -> str:
    """Tidy up, once a year."""
    return f"tidied on {day}"


@agent(durability="durable")
async def waiter(table: int, *, ctx: TaskContext) -> str:
    """Ask what a table wants."""
    try:
        order = await ctx.ask("order", f"Table {table}: what will it be? {HOSTILE}", Order)
    except AskDeclined:
        return "nothing, then"
    return f"{order.number} {order.size.value}"


@agent(durability="durable")
async def chat(text: str, *, ctx: TaskContext) -> int:
    """Remember what was said."""
    session = ctx.session("small-talk")
    said = await session.messages()
    await session.append(
        [{"role": "user", "content": text}, {"role": "assistant", "content": [{"type": "text"}]}]
    )
    return len(said)
