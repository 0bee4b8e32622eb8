"""The authenticators that need no issuer: API keys, IAM's word, and this machine's own callers.

Access tokens of an issuer are in `tokens`.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

from sqswarm.backends.aws.connect import principal_of_arn
from sqswarm.dispatcher.server.auth.checks import USER
from sqswarm.dispatcher.server.auth.identity import (
    AuthError,
    Identity,
    Scope,
    bearer_token,
    invalid_token,
    is_principal,
    no_credentials,
)
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.json import JsonObject

LOCAL_PRINCIPAL = "local"
SHORTEST_KEY = 16
_MAKE_ONE = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class LoopbackAuthenticator:
    """Everybody on this machine is the principal `local`; nobody shows credentials."""

    challenge = None
    openapi = None

    def __init__(self, *, behind_emulator: bool = False) -> None:
        """Believe the client's address, unless an emulator of this machine passes requests on."""
        self._behind_emulator = behind_emulator

    async def authenticate(self, scope: Scope) -> Identity:
        """Return `local`; raises AuthError (403) for a client that is not on this machine."""
        address, _ = scope.get("client") or ("", 0)
        try:
            local = self._behind_emulator or ipaddress.ip_address(address).is_loopback
        except ValueError:
            local = False
        if not local:
            detail = "without authentication this server is for its own machine only"
            raise AuthError(403, "not-local", detail)
        return Identity(principal=LOCAL_PRINCIPAL, scopes=USER)


class IamAuthenticator:
    """Knows callers by the ARN that a Function URL (or a REST API) with IAM auth passes on.

    The event is what Lambda was invoked with: no part of an HTTP request gets there. Whoever may
    invoke the function directly may write any event, so nobody else should be allowed to.
    Source: Lambda developer guide, "Function URL request payload", `authorizer.iam`.
    """

    challenge = "AWS4-HMAC-SHA256"
    openapi: ClassVar[JsonObject] = {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "Requests are signed with AWS Signature Version 4.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    }

    async def authenticate(self, scope: Scope) -> Identity:
        """Return the signer; raises AuthError where AWS has named none."""
        context = (scope.get("aws.event") or {}).get("requestContext") or {}
        url = (context.get("authorizer") or {}).get("iam") or {}
        rest = context.get("identity") or {}
        arn = url.get("userArn") or rest.get("userArn")
        if not isinstance(arn, str) or not arn.startswith("arn:"):
            raise no_credentials("a request signed with SigV4")
        return Identity(principal=principal_of_arn(arn), scopes=USER)


class ApiKeyAuthenticator:
    """Knows callers by an API key. Only digests of the keys are kept."""

    challenge = "Bearer"
    openapi: ClassVar[JsonObject] = {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key.",
    }

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        """Take (principal, key) pairs; a principal may have two keys while one is replaced."""
        self._digests = [(name, _digest(key)) for name, key in keys]

    async def authenticate(self, scope: Scope) -> Identity:
        """Return whose key it is; raises AuthError. Every key is compared, in constant time."""
        digest = _digest(bearer_token(scope))
        found = [name for name, known in self._digests if hmac.compare_digest(known, digest)]
        if not found:
            raise invalid_token("unknown-key", "this key is not known here")
        return Identity(principal=found[0], scopes=USER)


def parse_keys(text: str, *, source: str) -> list[tuple[str, str]]:
    """Return the (principal, key) pairs of `name:key`, one a line or with commas between.

    Raises InvalidSettings naming the entry by its number, never by its content.
    """
    entries = [entry.strip() for line in text.splitlines() for entry in line.split(",")]
    pairs: list[tuple[str, str]] = []
    for number, entry in enumerate([e for e in entries if e], start=1):
        name, _, key = entry.rpartition(":")
        if not is_principal(name):
            message = f"entry {number} of {source} is not name:key"
            raise InvalidSettings(message, hint=f"Write `ada:…`. {_MAKE_ONE}")
        if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable():
            message = f"the key of entry {number} of {source} has fewer than {SHORTEST_KEY} "
            raise InvalidSettings(message + "plain characters", hint=_MAKE_ONE)
        pairs.append((name, key))
    if len({key for _, key in pairs}) != len(pairs):
        message = f"{source} has the same key twice"
        raise InvalidSettings(message, hint=_MAKE_ONE)
    if not pairs:
        message = f"{source} has no key"
        raise InvalidSettings(message, hint=f"Write `ada:…`. {_MAKE_ONE}")
    return pairs


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
