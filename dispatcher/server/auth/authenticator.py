"""Authenticators: who a request comes from. One is chosen when the server starts."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Protocol

from sqswarm.dispatcher.server.auth.errors import AuthError, not_shown
from sqswarm.dispatcher.server.auth.hosts import one_header
from sqswarm.dispatcher.server.identity import Identity

Scope = MutableMapping[str, Any]

PRINCIPAL_LIMIT = 256

_BEARER = "Authorization: Bearer ..."


class Authenticator(Protocol):
    """One way to know a caller."""

    @property
    def challenge(self) -> str | None:
        """Return the scheme that a 401 asks for; None where no credentials can help."""

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who calls; raises AuthError."""


def bearer_token(scope: Scope) -> str:
    """Return the one bearer token of a request; raises AuthError (RFC 6750 §2.1, §3.1).

    Two headers are refused: whoever stands in between may have looked at the other one.
    """
    given = one_header(scope["headers"], b"authorization")
    if len(given) > 1:
        raise AuthError(
            400,
            "two-credentials",
            "there is more than one Authorization header",
            error="invalid_request",
        )
    if not given or not given[0]:
        raise not_shown(_BEARER)
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthError(401, "wrong-scheme", f"{_BEARER} is needed")
    return token.strip()


def route_path(scope: Scope) -> str:
    """Return the path within the application: where it is mounted below another path."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")))


def is_principal(name: object) -> bool:
    """Tell whether a name may own tasks: printable, and not longer than 256 characters."""
    return isinstance(name, str) and 0 < len(name) <= PRINCIPAL_LIMIT and name.isprintable()
