"""HTTP: a span for each request to the server, below its caller's.

MCP's requests have spans of the SDK's own, below what their `_meta` names; those that name nothing
there are below what their HTTP headers name.
"""

from __future__ import annotations

import re
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sqswarm.dispatcher.otel.spans import SCOPE

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_SERVER_ERROR = 500


class HttpSpans:
    """Traces the requests to `app`, but for those at `mcp_path`."""

    def __init__(self, app: ASGIApp, mcp_path: str) -> None:
        """Stand before `app`."""
        self._app = app
        self._mcp_path = mcp_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        caller = propagate.extract(headers, context.Context())
        token = context.attach(caller)
        try:
            if scope["path"] == self._mcp_path:
                await self._app(scope, receive, send)
            else:
                await self._traced(scope, receive, send)
        finally:
            context.detach(token)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        # As OpenAPI's document has it: names of spans are few.
        route = _ID.sub("{id}", scope["path"])
        attributes: dict[str, Any] = {
            "http.request.method": scope["method"],
            "url.path": scope["path"],
            "url.scheme": scope["scheme"],
            "http.route": route,
        }
        tracer = trace.get_tracer(SCOPE)
        with tracer.start_as_current_span(
            f"{scope['method']} {route}", kind=SpanKind.SERVER, attributes=attributes
        ) as span:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.set_attribute("http.response.status_code", status)
                    if status >= _SERVER_ERROR:
                        span.set_attribute("error.type", str(status))
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            await self._app(scope, receive, told)
