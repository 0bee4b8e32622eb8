"""Connections: uvicorn, with what it lacks against clients that are slow or come in crowds.

It cuts idle connections (`timeout_keep_alive`) and heads over 64 KB by itself; slow and large
bodies are AuthMiddleware's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sqswarm.dispatcher.server.limits import Limits


def uvicorn_config(app: ASGIApp, limits: Limits, **more: Any) -> uvicorn.Config:
    """Return how to serve `app` within `limits`."""
    protocol: Any = partial(LimitedProtocol, limits=limits, of_peer=Counter())
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        limit_concurrency=limits.connections,
        log_level="warning",
        access_log=False,  # it would hold whole addresses, with what callers put into them
        **more,
    )


class LimitedProtocol(H11Protocol):
    """One connection: cut where its address has too many, or its request's head takes too long."""

    def __init__(self, *args: Any, limits: Limits, of_peer: Counter[str], **kwargs: Any) -> None:
        """Count this server's connections in `of_peer`, by address."""
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._of_peer = of_peer
        self._peer = ""
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and wait for its first head."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._of_peer[self._peer] += 1
        if self._of_peer[self._peer] > self._limits.peer_connections:
            transport.abort()
        else:
            self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection no more."""
        super().connection_lost(exc)
        self._end_head()
        self._of_peer[self._peer] -= 1
        if not self._of_peer[self._peer]:
            del self._of_peer[self._peer]

    def data_received(self, data: bytes) -> None:
        """Wait on where a head is not complete."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._time_head()
        else:
            self._end_head()

    def _time_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.read_s, self.transport.abort)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
