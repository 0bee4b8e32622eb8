"""Archive: an agent that waits, for another agent and for a person, without a worker meanwhile."""

from pydantic import BaseModel
from sqswarm import Fail, TaskContext, agent

from agents.keywords import keywords


class Decision(BaseModel):
    """What a person answers."""

    approved: bool


class Filed(BaseModel):
    """Where a document has gone."""

    title: str
    shelf: str
    keywords: list[str]


@agent(timeout=30, topics=["documents"])
async def archive(ctx: TaskContext, title: str, text: str) -> Filed:
    """File a document under its keywords; what is secret only once a person agrees."""
    words = await ctx.call(keywords, title=title, text=text)  # a task of its own
    if "secret" in words:
        said = await ctx.ask("file", f"File {title!r}, about {', '.join(words)}?", Decision)
        if not said.approved:
            raise Fail(f"{title!r} is not to be filed", type="NotApproved")
    # Recorded: whatever kills a worker after it, this is not done a second time.
    shelf = await ctx.step("shelve", shelve, words)
    ctx.log.info("document.filed", title=title, shelf=shelf)
    return Filed(title=title, shelf=shelf, keywords=words)


def shelve(words: list[str]) -> str:
    """Put a document on its shelf. Yours would write to a database, or call an API."""
    return words[0][0].upper() if words else "?"
