"""Serve: the console on this machine alone, until interrupted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import webbrowser
from collections.abc import Callable
from typing import Any

import uvicorn
from nicegui import background_tasks

from sqswarm.infra.console.access import TOKEN, ConsoleAccess
from sqswarm.infra.console.app import build_app
from sqswarm.infra.console.context import ConsoleContext
from sqswarm.schemas.errors import SwarmError, UsageError

LOOPBACK = "127.0.0.1"
PORT = 8470
"""Where it is tried first, so that bookmarks last; taken, any free port will do."""

_LEAVE_S = 1


def bind(port: int | None) -> socket.socket:
    """Return a socket that is bound on loopback: to `port`, or near enough where it is None.

    Raises UsageError where `port` is taken.
    """
    for wanted in [PORT, 0] if port is None else [port]:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((LOOPBACK, wanted))
        except OSError:
            bound.close()
            continue
        return bound
    message = f"port {port} is taken"
    raise UsageError(message, hint="Choose another with --port, or none: then a free one is taken.")


async def _connect(context: ConsoleContext) -> None:
    with contextlib.suppress(SwarmError):
        await context.swarm()


async def serve(
    context: ConsoleContext,
    bound: socket.socket,
    *,
    started: Callable[[str], object],
    browse: bool,
) -> None:
    """Serve at a bound socket until interrupted; `started` is told the URL, with its token."""
    port = bound.getsockname()[1]
    access = ConsoleAccess(build_app(context), port=port)
    address = f"http://{LOOPBACK}:{port}/?{TOKEN}="

    class Server(uvicorn.Server):
        """Says where it is once it listens."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                started(f"{address}{access.token}")
                # Whoever opens the first page does not wait for this; what fails there, it says.
                background_tasks.create(_connect(context), name="console connection")
                if browse:
                    # Other users see the command line of the browser: its token is used up.
                    asyncio.get_running_loop().run_in_executor(
                        None, webbrowser.open, f"{address}{access.once()}"
                    )

    config = uvicorn.Config(
        access,
        log_level="warning",
        access_log=False,  # it would hold the token
        server_header=False,
        timeout_graceful_shutdown=_LEAVE_S,
    )
    try:
        await Server(config).serve(sockets=[bound])
    finally:
        await context.close()
