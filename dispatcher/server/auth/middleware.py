"""AuthMiddleware: stands before the application and lets in whom it knows.

Source of what refusals say: RFC 9728 (OAuth 2.0 Protected Resource Metadata), RFC 6750 §3; MCP
specification 2026-07-28, "Authorization".
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.json_response import PydanticJSONResponse
from mcp.shared.auth import ProtectedResourceMetadata
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Send

from sqswarm.backends.log import Log
from sqswarm.dispatcher.server.auth import checks
from sqswarm.dispatcher.server.auth.authenticators import LoopbackAuthenticator
from sqswarm.dispatcher.server.auth.checks import MCP_PATH
from sqswarm.dispatcher.server.auth.identity import Authenticator, AuthError, Identity, Scope
from sqswarm.dispatcher.server.limits import Accounts, LimitReached, Limits
from sqswarm.dispatcher.server.problem import json_rpc_problem, problem, problem_of, reason_of
from sqswarm.schemas.settings import LOOPBACK_HOSTS

WELL_KNOWN = "/.well-known/oauth-protected-resource"

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
    None derives it from each request. `on_lambda`: the name AWS routed by is ours too. `limits`
    are what one principal may take.
    """

    authenticator: Authenticator = field(default_factory=LoopbackAuthenticator)
    operators: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = tuple(LOOPBACK_HOSTS)
    origins: tuple[str, ...] = ()
    body_limit: int = BODY_LIMIT_BYTES
    limits: Limits = field(default_factory=Limits)
    issuer: str | None = None
    public_url: str | None = None
    on_lambda: bool = False
    log: Log = field(default_factory=Log)

    @property
    def is_open(self) -> bool:
        """Tell whether nobody shows credentials: the server is for its own machine only."""
        return isinstance(self.authenticator, LoopbackAuthenticator)


class AuthMiddleware:
    """ASGI middleware: checks Host, Origin, credentials, limits, size and scope, in that order.

    What it lets in carries `scope["state"]["identity"]` and `["account"]`. Every answer of 400 and
    above is logged, once, whoever gave it (those to a flood once a second); an application says why
    in `scope["state"]["refusal"]` (a short word), and what a caller is not told in `["fault"]`.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        """Stand before `app`, as `access` says."""
        self._app = app
        self._access = access
        self._accounts = Accounts(access.limits)
        self._origins = access.origins
        if access.public_url is not None:  # a proxy may have replaced the Host of our own pages
            parts = urlsplit(access.public_url)
            self._origins = (*access.origins, f"{parts.scheme}://{parts.netloc}")
        self._guarded: ASGIApp = self._authenticate
        if access.origins:
            self._guarded = CORSMiddleware(
                self._authenticate,
                allow_origins=access.origins,
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["*"],
                expose_headers=["Location", "Mcp-Session-Id", "Retry-After", "WWW-Authenticate"],
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
            headers = Headers(scope=scope)
            host = checks.check_host(headers.getlist("host"), self._hosts(scope))
            scope["state"]["host"] = host
            sites = headers.getlist("sec-fetch-site")
            checks.check_origin(headers.getlist("origin"), sites, host, self._origins)
        except AuthError as refused:
            await self._refuse(refused, scope, receive, send)
            return
        try:
            await self._guarded(scope, receive, send)
        except Exception as error:  # whoever stands outside answers it: here it is told once
            if not scope["state"].get("noted"):
                scope["state"].update(refusal="internal", fault=type(error).__name__)
                self._note(scope, _SERVER_ERROR)
            raise

    async def _authenticate(self, scope: Scope, receive: Receive, send: Send) -> None:
        resource = _resource_of(_route_path(scope))
        if self._access.issuer is not None and resource is not None and scope["method"] == "GET":
            response = PydanticJSONResponse(self._metadata(scope, resource, self._access.issuer))
            await response(scope, receive, send)
            return
        try:
            identity = await self._access.authenticator.authenticate(scope)
            if identity.principal in self._access.operators:
                identity = replace(identity, operator=True)
            scope["state"]["identity"] = identity
            account = scope["state"]["account"] = self._accounts.of(identity.principal)
            account.take_request()
            with account.open_request():
                checks.check_declared_length(scope, self._access.body_limit)
                body = await checks.read_body(
                    receive, self._access.body_limit, within_s=self._access.limits.read_s
                )
                if body is None:
                    return
                checks.check_scope(identity, scope["method"], _route_path(scope), body)
                await self._app(scope, checks.replayed(body, receive), send)
        except AuthError as refused:
            await self._refuse(refused, scope, receive, send)
        except LimitReached as reached:
            scope["state"].update(refusal=reason_of(reached), noted=not account.tells_flood())
            answer = json_rpc_problem if _route_path(scope) == MCP_PATH else problem_of
            await answer(reached)(scope, receive, send)

    def _hosts(self, scope: Scope) -> tuple[str, ...]:
        if not self._access.on_lambda:
            return self._access.hosts
        context = (scope.get("aws.event") or {}).get("requestContext") or {}
        return (*self._access.hosts, str(context.get("domainName", "")))

    def _base_url(self, scope: Scope) -> str:
        """Return the server's address, of this very request where none is configured."""
        seen = (
            f"{scope.get('scheme', 'http')}://{scope['state']['host']}{scope.get('root_path', '')}"
        )
        return self._access.public_url or seen

    def _metadata(self, scope: Scope, resource: str, issuer: str) -> ProtectedResourceMetadata:
        # The SDK's own routes are of one fixed address; ours is each request's.
        return ProtectedResourceMetadata.model_validate(
            {
                "resource": self._base_url(scope) + resource,
                "authorization_servers": [issuer],
                "scopes_supported": checks.ALL,
                "resource_name": "sqswarm",
            }
        )

    async def _refuse(self, refused: AuthError, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = {}
        scheme = self._access.authenticator.challenge
        if scheme is not None and (refused.status == 401 or refused.error):  # noqa: PLR2004
            url = None
            if self._access.issuer is not None:
                resource = MCP_PATH if _route_path(scope).startswith(MCP_PATH) else ""
                url = self._base_url(scope) + WELL_KNOWN + resource
            headers["WWW-Authenticate"] = _challenge(scheme, refused, url)
        if refused.retry_after_s is not None:
            headers["Retry-After"] = str(refused.retry_after_s)
        scope["state"].update(refusal=refused.reason, fault=refused.fault)
        response = problem(refused.status, refused.reason, refused.detail, headers=headers)
        await response(scope, receive, send)

    def _watched(self, scope: Scope, send: Send) -> Send:
        async def watch(message: MutableMapping[str, Any]) -> None:
            refused = message["type"] == "http.response.start"
            if refused and message["status"] >= _FIRST_REFUSAL and not scope["state"].get("noted"):
                self._note(scope, message["status"])
            await send(message)

        return watch

    def _note(self, scope: Scope, status: int) -> None:
        scope["state"]["noted"] = True
        identity = scope["state"].get("identity")
        fields = {
            "status": status,
            "reason": scope["state"].get("refusal") or _phrase(status),
            "method": scope["method"],
            "path": scope["path"][:_PATH_SHOWN],
            "principal": identity.principal if isinstance(identity, Identity) else None,
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


def _route_path(scope: Scope) -> str:
    """Return the path within the application: where it is mounted below another path."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")))


def _resource_of(path: str) -> str | None:
    """Return the path of the resource that a metadata address is about, None for other paths."""
    if path.rstrip("/") == WELL_KNOWN:
        return ""
    return MCP_PATH if path == WELL_KNOWN + MCP_PATH else None


def _challenge(scheme: str, refused: AuthError, metadata_url: str | None) -> str:
    """Return the value of WWW-Authenticate.

    Nothing in it comes from the request but the address, whose Host has been checked.
    """
    parts: list[str] = []
    if refused.error is not None:
        parts += [f'error="{refused.error}"', f'error_description="{_quoted(refused.detail)}"']
    if metadata_url is not None:
        parts.append(f'scope="{refused.scope or f"{checks.READ} {checks.WRITE}"}"')
        parts.append(f'resource_metadata="{metadata_url}"')
    return f"{scheme} {', '.join(parts)}".strip()


def _quoted(text: str) -> str:
    """Return what RFC 6750 §3 allows in a description: no quotes, no backslash, plain ASCII."""
    plain = text.replace('"', "'").replace("\\", "/").encode("ascii", "replace")
    return plain.decode()
