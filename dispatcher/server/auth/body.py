"""Bodies: read whole, up to a limit, whatever length was declared."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from starlette.types import Receive

from sqswarm.dispatcher.server.auth.errors import AuthError
from sqswarm.dispatcher.server.auth.hosts import one_header


def check_declared(scope: MutableMapping[str, Any], limit: int) -> None:
    """Raise AuthError (413) where the declared length is over the limit already (bytes)."""
    for declared in one_header(scope["headers"], b"content-length"):
        if not declared.isdigit() or int(declared) > limit:
            raise _too_large(limit)


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """Return the body, None where the client goes before its end: half a request is none.

    Raises AuthError (413) as soon as more than `limit` bytes have come: a body sent in chunks
    declares no length, so what has come is counted.
    """
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
