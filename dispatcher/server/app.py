"""The ASGI application: MCP at /mcp, the small HTTP API beside it, and who may pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sqswarm.dispatcher.server import http
from sqswarm.dispatcher.server.identity import LOCAL
from sqswarm.dispatcher.server.mcp.server import McpServer
from sqswarm.dispatcher.server.stage import Stage

MCP_PATH = "/mcp"

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def build_app(stage: Stage, access: Any = None) -> Starlette:
    """Return the application of `stage`, guarded by `access`.

    Without access everybody is the principal `local`: that is for loopback alone.
    """
    mcp = McpServer(stage)
    app = mcp.server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        # No session lives in a process: any instance may answer any request.
        stateless_http=True,
        json_response=not stage.settings.streams,
        # Checked before every route, not this one alone: by the guard, or by what stands for it.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        custom_starlette_routes=http.routes(stage),
    )
    app.state.mcp = mcp
    app.add_middleware(_Fresh, stage=stage)
    if access is None:
        app.add_middleware(_Everybody, on_loopback=stage.settings.streams)
    else:
        from sqswarm.dispatcher.server.auth import AuthMiddleware

        app.add_middleware(AuthMiddleware, access=access)
    app.add_middleware(_PostOnly)
    return app


AUTH = "SQSWARM_AUTH"
"""The environment's word for how callers are known (sqswarm.dispatcher.server.auth)."""


def is_open(env: Mapping[str, str]) -> bool:
    """Tell whether nothing in the environment says how callers are known."""
    return env.get(AUTH, "none") in {"", "none"}


def access_of(env: Mapping[str, str]) -> Any:
    """Return who may pass, as the environment configures it; None where it does not."""
    from sqswarm.dispatcher.server.auth import access_from_environment

    return access_from_environment(env)


class _PostOnly:
    """Answers 405 to what is no POST at MCP's path.

    A GET would open the standing stream of older revisions, on which nothing ever comes; on
    Lambda it would wait for it until the function's time-out.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == MCP_PATH and scope["method"] != "POST":
            refused = Response(status_code=405, headers={"Allow": "POST"})
            await refused(scope, receive, send)
            return
        await self._app(scope, receive, send)


class _Everybody:
    """Stands where the guard would: everybody is the same principal.

    On loopback only requests that mean a loopback host, and come from no other site, may pass:
    else a web page could reach it, by its address or by a name that resolves to 127.0.0.1.
    """

    def __init__(self, app: ASGIApp, *, on_loopback: bool) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(
            TransportSecuritySettings(
                enable_dns_rebinding_protection=on_loopback,
                allowed_hosts=[*_LOOPBACK, *(f"{host}:*" for host in _LOOPBACK)],
                allowed_origins=[f"http://{host}:*" for host in _LOOPBACK],
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refused = await self._security.validate_request(Request(scope))
            if refused is not None:
                await refused(scope, receive, send)
                return
            scope.setdefault("state", {}).setdefault("caller", LOCAL)
        await self._app(scope, receive, send)


class _Fresh:
    """Has the catalogue looked at again before a request, where it is old."""

    def __init__(self, app: ASGIApp, stage: Stage) -> None:
        self._app = app
        self._stage = stage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._stage.refresh()
        await self._app(scope, receive, send)
