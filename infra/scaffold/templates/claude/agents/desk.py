"""Desk: an agent that is Claude, with tools. Each turn and each call of a tool is recorded."""

from sqswarm import Budget, ClaudeAgent, tool

ORDERS = {"o-1": "on its way, arrives Friday", "o-2": "delivered on Monday"}


def order_status(order: str) -> str:
    """Tell where an order is, given its number, as in o-1."""
    return ORDERS.get(order, "There is no such order.")


def refund(order: str, cents: int) -> str:
    """Pay money back for an order."""
    return f"refunded {cents / 100:.2f} for {order}"


desk = ClaudeAgent(
    "desk",
    model="claude-haiku-5-5",
    description="Answer a customer's mail.",
    system="Answer customers' mails in two sentences. Look orders up; never guess.",
    tools=[order_status, tool(refund, approve=True)],  # a person approves each refund
    topics=["mails"],
    budget=Budget(usd=0.05, turns=8),
)
