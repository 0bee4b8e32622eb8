"""Three levels of agents: a director maps over editors, each asks Claude, who calls a checker."""

import os
import signal

from sqswarm import ClaudeAgent, Retry, TaskContext, agent


@agent(timeout=3, max_attempts=3, batch=1)
async def check(word: str, *, ctx: TaskContext) -> str:
    """Check a word."""
    await ctx.step("look", word.lower)
    if word == "deadly" and ctx.attempt == 1:
        # As the kernel kills it: nothing is said or sent any more.
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "flaky" and ctx.attempt == 1:
        raise Retry(f"not yet, with ghp_{36 * 'a'}", after=0)
    return await ctx.step("spell", word.upper)


def count(word: str) -> int:
    """Count the letters of a word."""
    return len(word)


editor = ClaudeAgent(
    "editor",
    model="claude-sonnet-5-5",
    system="You edit.",
    tools=[count, check],
    timeout=30,
    batch=2,
)


@agent(timeout=30)
async def direct(words: list[str], *, ctx: TaskContext) -> list[str]:
    """Have words edited."""
    await ctx.sleep(1)
    return await ctx.map("editor", [{"prompt": f"Edit {word}."} for word in words])
