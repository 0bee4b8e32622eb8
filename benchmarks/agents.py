"""The agent that the benchmarks deploy."""

from sqswarm import agent


@agent(timeout=30)
async def noop(number: int) -> int:
    """Give the number back."""
    return number
