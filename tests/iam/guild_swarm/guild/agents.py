"""One agent of each kind: what it does is what its role must allow."""

from collections import Counter
from dataclasses import dataclass

from sqswarm import Budget, ClaudeAgent, Fail, Limit, Retry, TaskContext, agent
from sqswarm.schemas.agent_spec import Schedule
from sqswarm.workers.agents.map_run import map_run as map_run  # noqa: PLC0414 - an agent of ours

TOLD = (
    "arn:aws:sns:us-east-1:000000000000:guild-told",
    "arn:aws:sqs:us-east-1:000000000000:guild-told",
)
MODEL = "claude-sonnet-5-5"
_seen = Counter()


def do(text, size=0):
    """Do what `text` says: fail, retry once, or answer with `size` characters more."""
    if text.startswith("fail"):
        raise Fail(text)
    _seen[text] += 1
    if text.startswith("retry") and _seen[text] == 1:
        raise Retry(text, after=0)
    return text + "." * size


@agent
def plain(text: str, size: int = 0, pad: str = "") -> str:
    """Know nothing of its task."""
    return do(text, size)


@agent(ordered=True)
def ordered(text: str, size: int = 0, pad: str = "") -> str:
    """Take its tasks in order."""
    return do(text, size)


@agent(durability="lean")
def lean(text: str, size: int = 0, pad: str = "") -> str:
    """Keep one record."""
    return do(text, size)


@agent(durability="durable", rate="600/minute", limit=Limit(3, per="size"), notify=TOLD)
def limited(text: str, size: int = 0, pad: str = "") -> str:
    """Start rarely, and tell of each end."""
    return do(text, size)


@agent(topics=["news"], schedule=Schedule(expression="rate(1 hour)", arguments={"text": "tick"}))
def listener(text: str, size: int = 0, pad: str = "") -> str:
    """Hear events."""
    return do(text, size)


@dataclass
class Told:
    """What a herald tells."""

    text: str
    pad: str = ""


@agent(publishes="told")
def herald(text: str, size: int = 0, pad: str = "") -> Told:
    """Tell what it hears."""
    return Told(do(text), pad + "." * size)


@agent(topics=["told"], durability="durable")
def chronicler(text: str, size: int = 0, pad: str = "") -> str:
    """Hear what is told."""
    return do(text, size)


@agent(joins=["told", "news"], key="text", within="1h")
def jury(text: str, told: Told | None = None, news: Told | None = None) -> str:
    """Hear both."""
    return do(text) + (told.pad if told else "") + (news.pad if news else "")


@agent(durability="durable")
async def keeper(text: str, size: int = 0, pad: str = "", *, ctx: TaskContext) -> str:
    """Remember, sleep, and ask."""
    if text == "sleep":
        await ctx.sleep(3)
    if text == "ask":
        return await ctx.ask("really", "Really?", str)
    if text == "expires":
        return await ctx.ask("soon", "Soon?", str, timeout=600, on_timeout="nobody")
    if text == "nap":
        await ctx.sleep(1200)
    if text.startswith("steps"):
        await ctx.progress(0.5, "half way")
        first = await ctx.step("first", lambda: 1)
        await ctx.step("second", lambda: first + 1)
        memory = ctx.session("diary")
        await memory.messages()
        await memory.append([{"role": "user", "content": "dear diary"}])
    return do(text, size)


@agent
async def middle(text: str, size: int = 0, pad: str = "", *, ctx: TaskContext) -> str:
    """Call one agent."""
    if text == "nested":
        return await ctx.call("plain", text="inner")
    if text == "large":
        return (await ctx.call("plain", text="inner", size=150_000, pad=pad))[:5]
    if text == "sleep":
        await ctx.sleep(2)
    return do(text, size)


@agent(durability="durable", calls=["plain", "ordered", "limited", "lean", middle, keeper])
async def parent(
    text: str, size: int = 0, pad: str = "", *, ctx: TaskContext
) -> list[str | int | None]:
    """Call several agents in every way."""
    if text == "call":
        return [await ctx.call("plain", text="one")]
    if text == "gather":
        return await ctx.gather(
            ctx.task(plain, text="a", size=size, pad=pad),
            ctx.task("ordered", text="b"),
            ctx.task("limited", text="c"),
            ctx.task("lean", text="d"),
            ctx.task(middle.name, text="nested"),
        )
    if text == "map":
        return await ctx.map("plain", [{"text": f"m{n}"} for n in range(12)])
    if text == "large":
        return [len(await ctx.call("plain", text="a", size=150_000, pad=pad))]
    if text == "slow":
        asking = [ctx.task(keeper, text="ask", pad=pad) for _ in range(2)]
        return await ctx.gather(*asking)
    if text == "sleep":
        await ctx.sleep(2)
    if text == "stranger":
        name = "listener"
        return [await ctx.call(name, text="no")]
    return [do(text, size)]


@agent
async def anybody(text: str, size: int = 0, pad: str = "", *, ctx: TaskContext) -> str:
    """Call whom it is told to: nobody can read that from its code."""
    if text == "sleep":
        await ctx.sleep(2)
    if text.startswith("to "):
        name = text.removeprefix("to ")
        given = {"prompt": f"hello {pad}"} if name == "thinker" else {"text": "told", "pad": pad}
        if name == "jury":
            given = {"text": "told", "told": {"text": "told", "pad": pad}}
        if name == "map-run":
            given = {"mapped": "plain", "rows": "none", "total": 0, "windows": 0}
            given |= {"concurrency": 1, "tolerate": 0}
        size = {"size": size} if name == "plain" else {}
        return str(await ctx.call(name, **given, **size))[:8]
    return do(text, size)


thinker = ClaudeAgent(
    "thinker",
    model=MODEL,
    tools=[plain],
    budget=Budget(usd=2.0, agent_usd_per_day=5.0, principal_usd_per_day=5.0),
)


@agent(runs_on="container")
async def hauler(text: str, size: int = 0, pad: str = "", *, ctx: TaskContext) -> str:
    """Work in a container, for longer than a lease."""
    if text == "call":
        return (await ctx.call("plain", text="hauled", size=150_000, pad=pad))[:6]
    if text == "sleep":
        await ctx.sleep(2)
    return do(text, size)
