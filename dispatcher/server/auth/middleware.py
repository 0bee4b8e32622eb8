"""The guard: stands before the application and lets in whom it knows."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send

from sqswarm.backends.log import Log
from sqswarm.dispatcher.server.auth import metadata
from sqswarm.dispatcher.server.auth.authenticator import Authenticator, Scope, route_path
from sqswarm.dispatcher.server.auth.body import check_declared, read_body, replayed
from sqswarm.dispatcher.server.auth.errors import AuthError
from sqswarm.dispatcher.server.auth.hosts import LOOPBACK, check_host, check_origin, one_header
from sqswarm.dispatcher.server.auth.loopback import Loopback
from sqswarm.dispatcher.server.auth.scopes import MCP_PATH, check_scope
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.dispatcher.server.problem import problem
from sqswarm.schemas.json import dumps

BODY_LIMIT_BYTES = 4 * 1024 * 1024
"""As the MCP SDK has it; a Function URL takes 6 MB, base64 and envelope included."""

_FIRST_REFUSAL = 400
_SERVER_ERROR = 500
_PATH_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may call, and how. `hosts` are the names the server answers to.

    `origins` are web pages of other sites that may call (and get CORS headers). `issuer` is set
    where callers come with its tokens. `public_url` is the server's address as callers see it;
    None derives it from each request. `on_lambda`: the name AWS routed by is ours too.
    """

    authenticator: Authenticator = field(default_factory=Loopback)
    operators: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = LOOPBACK
    origins: tuple[str, ...] = ()
    body_limit: int = BODY_LIMIT_BYTES
    issuer: str | None = None
    public_url: str | None = None
    on_lambda: bool = False
    log: Log = field(default_factory=Log)


class AuthMiddleware:
    """ASGI middleware: checks Host, Origin, credentials, size and scope, in that order.

    What it lets in carries `scope["state"]["caller"]`. Every answer of 400 and above is logged,
    once, whoever gave it; an application says why in `scope["state"]["refusal"]` (a short word),
    and what a caller is not told in `["fault"]`.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Guard `app` as `access` says."""
        self._app = app
        self._access = access
        self._origins = access.origins
        if access.public_url is not None:  # a proxy may have replaced the Host of our own pages
            parts = urlsplit(access.public_url)
            self._origins = (*access.origins, f"{parts.scheme}://{parts.netloc}")
        self._admit: ASGIApp = self._let_in
        if access.origins:
            self._admit = CORSMiddleware(
                self._let_in,
                allow_origins=access.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=["Location", "Mcp-Session-Id", "WWW-Authenticate"],
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        scope = {**scope, "state": {**scope.get("state", {})}}
        send = self._watched(scope, send)
        try:
            host = check_host(one_header(scope["headers"], b"host"), self._hosts(scope))
            scope["state"]["host"] = host
            check_origin(one_header(scope["headers"], b"origin"), host, self._origins)
        except AuthError as refused:
            await self._refuse(refused, scope, receive, send)
            return
        try:
            await self._admit(scope, receive, send)
        except Exception as error:  # whoever stands outside answers it: here it is told once
            if not scope["state"].get("noted"):
                scope["state"].update(refusal="internal", fault=type(error).__name__)
                self._note(scope, _SERVER_ERROR)
            raise

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        about = metadata.resource_of(route_path(scope))
        if self._access.issuer is not None and about is not None and scope["method"] == "GET":
            shown = metadata.document(self._base_url(scope), about, self._access.issuer)
            response = Response(dumps(shown), media_type="application/json")
            await response(scope, receive, send)
            return
        try:
            caller = await self._authenticated(scope)
            scope["state"]["caller"] = caller
            check_declared(scope, self._access.body_limit)
            body = await read_body(receive, self._access.body_limit)
            if body is None:
                return
            check_scope(caller, scope["method"], route_path(scope), body)
        except AuthError as refused:
            await self._refuse(refused, scope, receive, send)
            return
        await self._app(scope, replayed(body, receive), send)

    async def _authenticated(self, scope: Scope) -> Identity:
        caller = await self._access.authenticator.authenticate(scope)
        if caller.principal in self._access.operators:
            return replace(caller, operator=True)
        return caller

    def _hosts(self, scope: Scope) -> tuple[str, ...]:
        if not self._access.on_lambda:
            return self._access.hosts
        context = (scope.get("aws.event") or {}).get("requestContext") or {}
        return (*self._access.hosts, str(context.get("domainName", "")))

    def _base_url(self, scope: Scope) -> str:
        return self._access.public_url or metadata.base_url(scope, scope["state"]["host"])

    async def _refuse(self, refused: AuthError, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        scheme = self._access.authenticator.challenge
        if scheme is not None and (refused.status == 401 or refused.error):  # noqa: PLR2004
            url = None
            if self._access.issuer is not None:
                about = MCP_PATH if route_path(scope).startswith(MCP_PATH) else ""
                url = self._base_url(scope) + metadata.WELL_KNOWN + about
            headers["WWW-Authenticate"] = metadata.challenge(scheme, refused, url)
        if refused.retry_after_s is not None:
            headers["Retry-After"] = str(refused.retry_after_s)
        scope["state"].update(refusal=refused.reason, fault=refused.fault)
        response = problem(refused.status, refused.reason, refused.detail, headers=headers)
        await response(scope, receive, send)

    def _watched(self, scope: Scope, send: Send) -> Send:
        async def watch(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] >= _FIRST_REFUSAL:
                self._note(scope, message["status"])
            await send(message)

        return watch

    def _note(self, scope: Scope, status: int) -> None:
        scope["state"]["noted"] = True
        caller = scope["state"].get("caller")
        fields = {
            "status": status,
            "reason": scope["state"].get("refusal") or _phrase(status),
            "method": scope["method"],
            "path": scope["path"][:_PATH_SHOWN],
            "principal": caller.principal if isinstance(caller, Identity) else None,
            "client": (scope.get("client") or (None,))[0],
        }
        if status >= _SERVER_ERROR:  # what the caller is not told
            self._access.log.error("request.failed", **fields, fault=scope["state"].get("fault"))
        else:
            self._access.log.warning("request.refused", **fields)


def _phrase(status: int) -> str:
    """Return a status as a short word, where nobody has said more."""
    try:
        return HTTPStatus(status).phrase.lower().replace(" ", "-")
    except ValueError:
        return "refused"
