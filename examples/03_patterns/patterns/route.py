"""Routing: a cheap call decides who is asked."""

from typing import Literal

from patterns import KEY, MODEL
from sqswarm import ClaudeAgent, TaskContext, agent

Desk = Literal["billing", "technical"]

router = ClaudeAgent(
    "router", model=MODEL, api_key=KEY, system="Say which desk a letter is for.", output=Desk
)
billing = ClaudeAgent("billing", model=MODEL, api_key=KEY, system="You answer about invoices.")
technical = ClaudeAgent("technical", model=MODEL, api_key=KEY, system="You answer about faults.")


@agent(timeout=30)
async def support(letter: str, *, ctx: TaskContext) -> dict[str, str]:
    """Answer a letter at the right desk."""
    desk = await ctx.call("router", prompt=f"Route: {letter}")
    return {"desk": desk, "answer": await ctx.call(desk, prompt=letter)}
