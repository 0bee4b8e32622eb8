"""Parallelisation with voting: the same question, several eyes, one majority."""

from collections import Counter

from patterns import KEY, MODEL
from sqswarm import ClaudeAgent, TaskContext, agent

juror = ClaudeAgent(
    "juror", model=MODEL, api_key=KEY, system="Say whether this code is safe.", output=bool
)
VIEWS = ("as an attacker", "as a reviewer", "as the one who is called at night")


@agent(timeout=30)
async def safe(code: str, *, ctx: TaskContext) -> dict[str, int | bool]:
    """Vote on whether code is safe; all jurors work at once."""
    votes = await ctx.map("juror", [{"prompt": f"Look {view}: {code}"} for view in VIEWS])
    [(verdict, ayes)] = Counter(votes).most_common(1)
    return {"safe": verdict, "votes": ayes}
