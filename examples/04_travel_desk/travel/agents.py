"""The desk talks, the scout searches, the clerk books: and asks a person above a limit."""

from __future__ import annotations

import os
import sys

from pydantic import BaseModel

from sqswarm import Budget, ClaudeAgent, Fail, McpServer, TaskContext, agent

MODEL = "claude-haiku-5-5"
KEY = "ssm:/sqswarm/anthropic-key"
LIMIT_USD = 400


def inventory(*allow: str) -> McpServer:
    """Return the inventory server, run by this very Python, with these tools of it."""
    return McpServer(
        name="inventory",
        command=sys.executable,
        args=("-m", "travel.inventory"),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        allow=allow,
    )


class Approval(BaseModel):
    """What a manager says of a booking."""

    approved: bool
    reason: str = ""


class Booking(BaseModel):
    """A booking that was made."""

    reference: str
    offer: str
    usd: int


@agent(timeout=60)
async def clerk(offer: str, day: str, *, ctx: TaskContext) -> Booking:
    """Book an offer (its key, as in F1) for a day (ISO); says the reference.

    Above the limit a manager is asked. The same offer and day are never booked twice.
    """
    from sqswarm.workers.claude.mcp import call_tool

    server = inventory("price", "reserve")
    usd = int(await ctx.step("price", call_tool, server, "price", {"offer": offer}))
    if usd > LIMIT_USD:
        said = await ctx.ask("approve", f"Book {offer} on {day} for ${usd}?", Approval)
        if not said.approved:
            raise Fail(f"a manager refused it: {said.reason}", type="NotApproved")
    # The price was read before the wait; the key makes a repeat harmless.
    key = f"{ctx.principal}/{day}"
    arguments = {"offer": offer, "idempotency_key": key}
    reference = await ctx.step("reserve", call_tool, server, "reserve", arguments)
    return Booking(reference=reference, offer=offer, usd=usd)


def policy(kind: str) -> str:
    """Tell the company's policy on flights, hotels or cars."""
    rules = {
        "flight": "Economy only; the cheapest that fits the meeting.",
        "hotel": "Up to $200 a night.",
        "car": "Electric where there is one.",
    }
    return rules.get(kind.rstrip("s"), "There is no policy on that: ask.")


scout = ClaudeAgent(
    "scout",
    model=MODEL,
    api_key=KEY,
    description="Search flights, hotels and cars; describe what is wanted in a sentence.",
    system="Search the inventory and list what fits, with offers' keys and prices.",
    mcp_servers=[inventory("search")],
    budget=Budget(usd=0.05, turns=6),
)

desk = ClaudeAgent(
    "desk",
    model=MODEL,
    api_key=KEY,
    description="Plan and book a trip, over as many messages as it takes.",
    system=(
        "You are a travel desk. Look at the policy, let the scout search, offer what fits, and "
        "book with the clerk only what the traveller chose. Say references as they are."
    ),
    tools=[policy, scout, clerk],
    ordered=True,
    budget=Budget(usd=0.20, turns=10, principal_usd_per_day=5.0),
)
