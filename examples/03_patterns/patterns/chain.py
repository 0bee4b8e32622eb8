"""Prompt chaining: each step works on what the one before made, and a gate stands between."""

from patterns import KEY, MODEL
from sqswarm import ClaudeAgent, Fail, TaskContext, agent

outliner = ClaudeAgent(
    "outliner", model=MODEL, api_key=KEY, system="Outline an article: one line a section.",
    output=list[str],
)  # fmt: skip
writer = ClaudeAgent("writer", model=MODEL, api_key=KEY, system="Write the article of an outline.")

SECTIONS = range(2, 7)


@agent(timeout=30)
async def article(topic: str, *, ctx: TaskContext) -> str:
    """Write an article: outline, gate, text."""
    outline = await ctx.call("outliner", prompt=f"Outline: {topic}")
    if len(outline) not in SECTIONS:
        raise Fail(f"an outline of {len(outline)} sections", type="Gate")
    return str(await ctx.call("writer", prompt="Write: " + "; ".join(outline)))
