"""The agent that the benchmarks deploy."""

from workers import agent


@agent(timeout=30)
async def noop(number: int) -> int:
    """Give the number back."""
    return number
