"""`sqswarm serve`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from sqswarm.dispatcher.server.auth import Access
    from sqswarm.schemas.settings import Settings

_LEAVE_S = 5


def serve(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8080,
) -> None:
    """Serve the deployed agents as MCP tools (and over small HTTP) until interrupted.

    Example: sqswarm serve --port 8080
    """
    from sqswarm.dispatcher.server.auth import access_from_environment
    from sqswarm.schemas.settings import LOOPBACK_HOSTS

    session = session_of(context)
    settings = session.reachable()
    access = access_from_environment(os.environ)
    if access.is_open and host not in LOOPBACK_HOSTS:
        message = f"{host} is not this machine alone, and no access is configured"
        hint = "Serve on 127.0.0.1, or configure who may call: see docs/access.md."
        raise UsageError(message, hint=hint)
    import asyncio

    asyncio.run(_serve(settings, access, host, port, as_json=session.json))


async def _serve(
    settings: Settings, access: Access, host: str, port: int, *, as_json: bool
) -> None:
    import uvicorn

    from sqswarm.dispatcher.server.app import build_app
    from sqswarm.dispatcher.server.auth.checks import MCP_PATH
    from sqswarm.dispatcher.server.connections import uvicorn_config
    from sqswarm.dispatcher.server.context import ServerContext, ServerSettings

    class Server(uvicorn.Server):
        """Prints its address once it listens, and ends open streams before it stops."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                bound = self.servers[0].sockets[0].getsockname()[1]
                _print_address(f"http://{_in_url(host)}:{bound}{MCP_PATH}", as_json=as_json)

        def handle_exit(self, sig: int, frame: Any) -> None:
            app.state.mcp.close()
            super().handle_exit(sig, frame)

    context = await ServerContext.connect(settings, ServerSettings.from_env(os.environ))
    try:
        app = build_app(context, access)
        config = uvicorn_config(
            app,
            access.limits,
            host=host,
            port=port,
            timeout_graceful_shutdown=round(context.settings.wait_s) + _LEAVE_S,
        )
        await Server(config).serve()
    finally:
        await context.close()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _print_address(url: str, *, as_json: bool) -> None:
    """Print where it is, and what an MCP client's configuration says of it."""
    snippet = {"mcpServers": {"sqswarm": {"type": "http", "url": url}}}
    if as_json:
        print_json({"url": url, "mcp.json": snippet})
        return
    print_line(url)
    print_line("")
    print_line("mcp.json:")
    print_json(snippet)
