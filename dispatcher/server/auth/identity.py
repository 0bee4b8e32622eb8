"""Who sends a request: the identity that an authenticator finds, or the refusal."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.datastructures import Headers

from sqswarm.schemas.json import JsonObject

Scope = MutableMapping[str, Any]

PRINCIPAL_LIMIT = 256

_BEARER = "Authorization: Bearer ..."


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One authenticated caller. An `operator` sees the tasks of every principal."""

    principal: str
    operator: bool = False
    scopes: frozenset[str] = frozenset()


@dataclass(eq=False)
class AuthError(Exception):
    """One refusal. `reason` is the log's short word, `detail` a sentence for the caller.

    `error` is OAuth's word for it (RFC 6750 §3.1), None where no credentials were shown at all.
    None of them ever holds anything of what was shown. `fault` is for the log alone.
    """

    status: int
    reason: str
    detail: str
    error: str | None = None
    scope: str | None = None
    retry_after_s: int | None = None
    fault: str | None = None


class Authenticator(Protocol):
    """One way to know a caller; the server has one, chosen when it starts."""

    # Not the SDK's TokenVerifier: its None says neither why (the log has to) nor 401 or 503.

    @property
    def challenge(self) -> str | None:
        """Return the scheme that a 401 asks for; None where no credentials can help."""

    @property
    def openapi(self) -> JsonObject | None:
        """Return its OpenAPI Security Scheme Object; None where nobody shows credentials."""

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who calls; raises AuthError."""


def identity_of(scope_or_request: Any) -> Identity:
    """Return the identity that AuthMiddleware put into an ASGI scope (or request of one).

    Raises PermissionError where none did: a server that forgot its middleware lets nobody in.
    """
    scope = getattr(scope_or_request, "scope", scope_or_request)
    state = scope.get("state") if isinstance(scope, Mapping) else None
    identity = state.get("identity") if isinstance(state, Mapping) else None
    if not isinstance(identity, Identity):
        message = "the request passed no AuthMiddleware"
        raise PermissionError(message)
    return identity


def no_credentials(needed: str) -> AuthError:
    """Return the refusal of a request without credentials (RFC 6750 §3.1: no error word)."""
    return AuthError(401, "no-credentials", f"credentials are needed: {needed}")


def invalid_token(reason: str, detail: str) -> AuthError:
    """Return the refusal of credentials that are not good."""
    return AuthError(401, reason, detail, error="invalid_token")


def bearer_token(scope: Scope) -> str:
    """Return the one bearer token of a request; raises AuthError (RFC 6750 §2.1, §3.1).

    Two headers are refused: whoever stands in between may have looked at the other one.
    """
    headers = Headers(scope=scope).getlist("authorization")
    if len(headers) > 1:
        detail = "there is more than one Authorization header"
        raise AuthError(400, "two-credentials", detail, error="invalid_request")
    if not headers or not headers[0]:
        raise no_credentials(_BEARER)
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthError(401, "wrong-scheme", f"{_BEARER} is needed")
    return token.strip()


def is_principal(name: object) -> bool:
    """Tell whether a name may own tasks: printable, up to 256 characters, no space around it."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= PRINCIPAL_LIMIT
        and name.isprintable()
        and name == name.strip()
    )
