"""What every request has to pass beside its credentials: Host, Origin, size of body, scope.

A page of any site can have a browser send requests to a server on the reader's own machine, by
pointing a name of its own there (DNS rebinding). Such a request names the page's host and origin.
Source: MCP specification, "Streamable HTTP: security warning".
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive

from sqswarm.dispatcher.server.auth.identity import AuthError, Identity, Scope
from sqswarm.schemas.json import loads_unambiguous

READ = "tasks:read"
WRITE = "tasks:write"
OPERATOR = "operator"
"""Sees and steers every principal's tasks."""

ALL = [READ, WRITE, OPERATOR]
USER = frozenset({READ, WRITE})

MCP_PATH = "/mcp"

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_READING_MCP = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "server/discover",
        "subscriptions/listen",
        "tasks/get",
        "tools/list",
    }
)
"""MCP methods that start and change nothing; whatever else there may be needs WRITE.

Source: MCP specification 2026-07-28 and the older revisions' own methods.
"""

ANY = "*"
_HOST = re.compile(r"[a-z0-9._-]+(:[0-9]+)?|\[[0-9a-f:.]+\](:[0-9]+)?")


def check_host(given: list[str], allowed: Iterable[str]) -> str:
    """Return the request's Host; raises AuthError (421) for one this server does not answer to.

    An allowed name without a port fits every port.
    """
    host = given[0].strip().lower() if len(given) == 1 else ""
    if _HOST.fullmatch(host):  # it is repeated in answers, also where any name is taken
        names = {name.lower() for name in allowed}
        names |= {name.strip("[]") for name in names if name.endswith("]")}
        if ANY in names or host in names or hostname_of(host) in names:
            return host
    raise AuthError(421, "wrong-host", "this server does not answer to that Host")


def check_origin(given: list[str], sites: list[str], host: str, allowed: Iterable[str]) -> None:
    """Raise AuthError (403) for a web page that is neither ours nor allowed.

    Programs send no Origin. A page served under the very Host it calls is our own. What a page
    shows or links to (an image, a script, a frame) comes without Origin too, but browsers say in
    Sec-Fetch-Site (`sites`) where it was asked for; `none` is the reader's own address line.
    Source: W3C Fetch Metadata Request Headers.
    """
    if not given and all(site.strip().lower() in {"same-origin", "none"} for site in sites):
        return
    if len(given) == 1:
        origin = given[0].strip().lower()
        if origin in {name.lower() for name in allowed}:
            return
        parts = urlsplit(origin)
        if parts.scheme in {"http", "https"} and parts.netloc == host:
            return
    raise AuthError(403, "wrong-origin", "pages of that Origin may not call this server")


def hostname_of(netloc: str) -> str:
    """Return the host of `host`, `host:port` or `[address]:port`, without port and brackets."""
    if netloc.count(":") > 1 and not netloc.startswith("["):
        return netloc  # an IPv6 address
    name, colon, port = netloc.rpartition(":")
    return (name if colon and port.isdigit() else netloc).strip("[]")


def check_declared_length(scope: Scope, limit: int) -> None:
    """Raise AuthError (413) where the declared length is over the limit already (bytes)."""
    for declared in Headers(scope=scope).getlist("content-length"):
        if not declared.isdecimal() or int(declared) > limit:
            raise _too_large(limit)


async def read_body(receive: Receive, limit: int, *, within_s: float) -> bytes | None:
    """Return the body, None where the client goes before its end: half a request is none.

    Raises AuthError: 413 as soon as more than `limit` bytes have come (a body sent in chunks
    declares no length, so what has come is counted), 408 where it takes longer than `within_s`.
    """
    try:
        async with asyncio.timeout(within_s):
            return await _read_body(receive, limit)
    except TimeoutError:
        detail = f"the request's body did not come within {within_s:g} s"
        raise AuthError(408, "body-too-slow", detail) from None


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts += message.get("body", b"")
        if len(parts) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once and then what `receive` has to say."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _too_large(limit: int) -> AuthError:
    return AuthError(413, "body-too-large", f"a request may have {limit:,} bytes")


def check_scope(identity: Identity, method: str, path: str, body: bytes) -> None:
    """Raise AuthError (403) where the identity was not granted what this request needs."""
    wanted = needed(method, path, body)
    if wanted not in identity.scopes:
        detail = f"the scope {wanted} is needed"
        raise AuthError(403, "insufficient-scope", detail, error="insufficient_scope", scope=wanted)


def needed(method: str, path: str, body: bytes) -> str:
    """Return the scope that a request needs.

    MCP posts everything, so its body is looked into: a header that names the method could lie
    to us and be ignored further in.
    """
    if method in _READING:
        return READ
    if path != MCP_PATH and not path.startswith(f"{MCP_PATH}/"):
        return WRITE
    try:
        message = loads_unambiguous(body)
    except ValueError:
        return WRITE  # whoever parses it will refuse it, or see in it what we do not
    return _needed_by(message)


def _needed_by(message: Any) -> str:
    """Return what one JSON-RPC message needs; a batch needs what any of its messages needs."""
    if isinstance(message, list):
        return WRITE if any(_needed_by(one) == WRITE for one in message) else READ
    method = message.get("method") if isinstance(message, dict) else None
    if isinstance(method, str) and (method in _READING_MCP or method.startswith("notifications/")):
        return READ
    return WRITE
