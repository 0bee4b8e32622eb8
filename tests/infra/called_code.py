"""Agents whose code names whom they call, in every way that is read, and in ways that are not."""

import functools

import called_elsewhere
from called_elsewhere import helper_elsewhere

from sqswarm import TaskContext, agent

NAME = "named"


@agent
def leaf(text: str) -> str:
    """Call nobody."""
    return text


@agent(name="renamed")
def other(text: str) -> str:
    """Call nobody."""
    return text


def helper(task, number):
    return helper(task, number - 1) if number else task.call("helped")


async def deep(*, ctx):
    await ctx.map(other, [])


def decorated(function):
    @functools.wraps(function)
    async def wrapper(*args, **kwargs):
        return await function(*args, **kwargs)

    return wrapper


async def nothing(text: str, *, ctx: TaskContext):
    """call("no") in prose is no call."""
    await ctx.progress(0.5)
    await ctx.step("call", lambda: ctx.attempt)
    ctx.log.info(ctx.task_id)
    await ctx.sleep(1)


async def literal(*, ctx: TaskContext):
    await ctx.call("one", text="two")
    await ctx.gather(ctx.task("three"), *[ctx.task("four") for _ in range(2)])
    await ctx.map("five", [{"a": "six"}])


async def objects(*, ctx: TaskContext):
    await ctx.call(leaf, text="a")
    await ctx.call(other.name, text="b")
    await ctx.call(called_elsewhere.far, text="c")
    await ctx.call(NAME)


async def choice(text: str, *, ctx: TaskContext):
    return await ctx.call("left" if text else "right")


async def nested(*, ctx: TaskContext):
    async def inner():
        return await ctx.call("inner")

    return await ctx.step("x", inner)


async def helped(*, ctx: TaskContext):
    await helper(ctx, 1)
    await deep(ctx=ctx)
    await helper_elsewhere(1, ctx)


def closing(over):
    async def closed(*, ctx: TaskContext):
        await ctx.call(over)

    return closed


async def variable(name: str, *, ctx: TaskContext):
    await ctx.call(name)


async def loop(*, ctx: TaskContext):
    for leaf in ("a", "b"):  # no longer the agent of that name
        await ctx.call(leaf)


async def alias(*, ctx: TaskContext):
    context = ctx
    await context.call("hidden")


async def bound(*, ctx: TaskContext):
    start = ctx.call
    await start("hidden")


async def reached(*, ctx: TaskContext):
    await getattr(ctx, "call")("hidden")  # noqa: B009


async def inside(*, ctx: TaskContext):
    await ctx.worker.connection.bus.send("q", [])


async def given_away(*, ctx: TaskContext):
    await called_elsewhere.Holder(ctx).go()


async def starred(*, ctx: TaskContext):
    await ctx.call(*["hidden"])


async def named_by_word(*, ctx: TaskContext):
    await ctx.map(rows=[], agent="hidden")


async def shadowed(*, ctx: TaskContext):
    for ctx in [ctx]:  # noqa: B020, PLR1704
        await ctx.call("hidden")


async def formatted(kind: str, *, ctx: TaskContext):
    await ctx.call(f"{kind}-agent")


@decorated
async def wrapped(*, ctx: TaskContext):
    await ctx.call("hidden")


made = {}
exec("async def unseen(*, ctx): await ctx.call('hidden')", made)
unseen = made["unseen"]
