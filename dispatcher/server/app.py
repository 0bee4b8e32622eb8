"""The ASGI application: MCP at /mcp, the small HTTP API beside it, and who may pass."""

from __future__ import annotations

from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sqswarm.dispatcher.server.auth import Access, AuthMiddleware
from sqswarm.dispatcher.server.auth.checks import MCP_PATH
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.http.routes import HINT, routes
from sqswarm.dispatcher.server.mcp.server import McpServer
from sqswarm.dispatcher.server.problem import problem
from sqswarm.dispatcher.tracing import is_tracing


def build_app(context: ServerContext, access: Access) -> Starlette:
    """Return the application of `context`, for those that `access` lets in."""
    mcp = McpServer(context)
    app = mcp.server.streamable_http_app(
        streamable_http_path=MCP_PATH,
        # No session lives in a process: any instance may answer any request.
        stateless_http=True,
        json_response=not context.settings.streams,
        max_request_body_size=access.body_limit,
        # AuthMiddleware checks Host and Origin, before every route.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        custom_starlette_routes=routes(context, access),
    )
    app.state.mcp = mcp
    app.add_exception_handler(404, _nothing_here)
    app.add_middleware(_BeforeRoutes, context=context)
    app.add_middleware(AuthMiddleware, access=access)
    if is_tracing():
        from sqswarm.dispatcher.otel.asgi import HttpSpans

        app.add_middleware(HttpSpans, mcp_path=MCP_PATH)
    return app


async def _nothing_here(request: Request, error: Exception) -> Response:
    del error
    request.state.refusal = "not-found"
    return problem(404, "not-found", "there is nothing at this address", hint=HINT)


class _BeforeRoutes:
    """Has an old catalogue read again, and answers 405 to what is no POST at MCP's path.

    A GET would open the standing stream of older revisions, on which nothing ever comes; on
    Lambda it would wait for it until the function's time-out.
    """

    def __init__(self, app: ASGIApp, context: ServerContext) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if scope["path"] == MCP_PATH and scope["method"] != "POST":
                refused = Response(status_code=405, headers={"Allow": "POST"})
                await refused(scope, receive, send)
                return
            await self._context.refresh()
        await self._app(scope, receive, send)
