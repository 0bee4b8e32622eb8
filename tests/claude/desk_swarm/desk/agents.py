"""Agents of the tests: one that dies, many that talk at once, one on a tight budget."""

import asyncio

from desk import dying as _dying  # noqa: F401 - it changes the workers of this module
from sqswarm import Budget, ClaudeAgent, agent

MODEL = "claude-sonnet-5-5"


async def note(path: str, what: str) -> str:
    """Note that it was called."""
    with open(path, "a") as file:  # noqa: ASYNC230, PTH123
        file.write(f"{what}\n")
    await asyncio.sleep(0.1)
    return f"noted {what}"


@agent(timeout=10)
async def lookup(city: str) -> dict:
    """Look up a city."""
    return {"city": city, "rooms": len(city)}


planner = ClaudeAgent(
    "planner",
    model=MODEL,
    tools=[note, lookup],
    timeout=10,
    batch=1,
    concurrency=3,
    budget=Budget(usd=2.0),
)

talker = ClaudeAgent("talker", model=MODEL, tools=[note], timeout=60, batch=10, concurrency=4)

thrifty = ClaudeAgent(
    "thrifty",
    model=MODEL,
    max_tokens=2000,
    timeout=60,
    batch=5,
    budget=Budget(agent_usd_per_day=0.10),
)
