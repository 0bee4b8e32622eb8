"""The whole server over a memory swarm in real, fast time: real HTTP and workers, no emulator."""

import asyncio
import time
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

from pydantic import BaseModel, Field
from served import serve

from sqswarm import Fail, TaskContext, agent
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.server.app import build_app
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings
from sqswarm.testing.memory_stage import MemoryStage

FASTER = 20
START_MS = time.time_ns() // 1_000_000


class FastTime(AsyncRunner):
    """Time that runs faster: a long poll of 20 seconds is over after one."""

    def now_ms(self):
        return START_MS + (super().now_ms() - START_MS) * FASTER

    def monotonic(self):
        return super().monotonic() * FASTER

    async def sleep(self, seconds):
        await super().sleep(seconds / FASTER)


class Point(BaseModel):
    """A place."""

    x: float = Field(ge=-180, le=180)
    label: str | None = None


@agent(topics=["words"], durability="durable")
async def say(text: str, mood: Literal["calm", "loud"] = "calm") -> str:
    """Say it."""
    return text.upper() if mood == "loud" else text


@agent(durability="lean")
async def place(points: list[Point], tags: dict[str, int] | None = None) -> int:
    """Count places."""
    return len(points) + len(tags or {})


@agent
async def confirm(what: str, *, ctx: TaskContext) -> bool:
    """Ask a person."""
    return bool((await ctx.ask("sure", f"Sure of {what[:20]}?", bool)).value)


@agent(max_attempts=1)
async def fail(reason: str) -> str:
    """Fail."""
    raise Fail(reason)


@agent(ordered=True)
async def orderly(text: str) -> str:
    """Run in order."""
    return text


class Application:
    """The server's application, with the swarm's workers at work as long as it runs."""

    def __init__(self, app, swarm):
        self.app = app
        self._swarm = swarm
        inner = app.router.lifespan_context

        @asynccontextmanager
        async def lifespan(running):
            async with inner(running):
                working = asyncio.create_task(self._work())
                yield
                working.cancel()

        app.router.lifespan_context = lifespan

    async def _work(self):
        while True:
            await self._swarm.settle_down()
            await asyncio.sleep(0.02)


@contextmanager
def memory_server(env=None, *, agents=(say, place, confirm, fail, orderly), wrap=lambda app: app):
    """Serve `agents` with the access that `env` describes; `wrap` may stand before it."""
    swarm = MemoryStage(*agents, clock=FastTime())

    async def nothing():
        return None

    def app_for(access):
        context = ServerContext(swarm.connection, ServerSettings(wait_s=2, look_s=0.05), nothing)
        return wrap(Application(build_app(context, access), swarm).app)

    with serve(app_for, lambda log: access_from_environment(env or {}, log=log)) as running:
        yield running
