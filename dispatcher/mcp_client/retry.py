"""Retry: which failures of a request pass by themselves, and how long to wait for that."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import httpx2
from mcp import MCPError
from mcp_types import CONNECTION_CLOSED, INTERNAL_ERROR, REQUEST_TIMEOUT

T = TypeVar("T")

_TRIES = 10
_BASE_S = 0.25
_CAP_S = 8.0
_PASSING = frozenset({CONNECTION_CLOSED, REQUEST_TIMEOUT, INTERNAL_ERROR})


def is_passing(error: BaseException) -> bool:
    """Tell whether a repeat may succeed: no answer, a time-out, a server's own failure."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_passing(one) for one in error.exceptions)
    if isinstance(error, MCPError):
        return error.code in _PASSING
    return isinstance(error, httpx2.TransportError | ConnectionError | TimeoutError)


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` returns, asking up to ten times while failures are passing ones.

    Only for requests that may be repeated. Pauses grow from a quarter of a second to eight, with
    jitter: half a minute in all, in which a server may be started again.
    """
    for attempt in range(_TRIES):
        try:
            return await ask()
        except Exception as error:
            if attempt == _TRIES - 1 or not is_passing(error):
                raise
        await anyio.sleep(min(_CAP_S, _BASE_S * 2**attempt) * random.uniform(0.5, 1.0))
    raise AssertionError  # the last try returns or raises
