"""Evaluator and optimiser: one writes, another judges, until it is good or enough."""

from pydantic import BaseModel

from patterns import KEY, MODEL
from sqswarm import ClaudeAgent, TaskContext, agent


class Verdict(BaseModel):
    """What the critic thinks."""

    good: bool
    advice: str = ""


poet = ClaudeAgent("poet", model=MODEL, api_key=KEY, system="Write a haiku.")
critic = ClaudeAgent(
    "critic", model=MODEL, api_key=KEY, system="Judge a haiku strictly.", output=Verdict
)


@agent(timeout=30)
async def haiku(about: str, rounds: int = 3, *, ctx: TaskContext) -> dict[str, str | int]:
    """Write a haiku that a critic likes, in at most `rounds` rounds."""
    advice = "none yet"
    poem, used = "", 0
    while used < rounds:
        used += 1
        poem = await ctx.call("poet", prompt=f"Haiku about {about}; advice: {advice}")
        verdict = await ctx.call("critic", prompt=f"Judge: {poem}")
        if verdict["good"]:
            break
        advice = verdict["advice"]
    return {"poem": poem, "rounds": used}
