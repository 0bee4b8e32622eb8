"""Threads: plain functions of agents and steps, awaited on the loop.

They go by the loop's own `run_in_executor`, so that a loop of another time (a test's) knows that
something is on the move outside of it.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def on_thread(threads: Executor, call: Callable[[], T], *, left: Callable[[], None]) -> T:
    """Return what `call` returns, run on one of `threads` in a copy of this context.

    Where this is cancelled meanwhile, a call that has not begun never does. One that runs cannot
    be stopped: `left` is told of it.
    """
    began = ended = given_up = False

    def run() -> T:
        nonlocal began, ended
        began = True
        if given_up:
            raise asyncio.CancelledError
        try:
            return call()
        finally:
            ended = True

    context = contextvars.copy_context()
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, context.run, run)
    except asyncio.CancelledError:
        given_up = True
        if began and not ended:
            left()
        raise
