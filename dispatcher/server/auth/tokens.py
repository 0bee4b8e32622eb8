"""Access tokens: OAuth 2.1 tokens that are JWTs, held against the issuer's public keys (JWKS).

Source: RFC 9068 (JWT access tokens), RFC 8725 (JWT best current practices); MCP specification
2026-07-28, "Authorization: token validation".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqswarm.dispatcher.server.auth.authenticators import LOCAL_PRINCIPAL
from sqswarm.dispatcher.server.auth.checks import OPERATOR
from sqswarm.dispatcher.server.auth.identity import (
    AuthError,
    Identity,
    Scope,
    bearer_token,
    invalid_token,
    is_principal,
)
from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.json import JsonObject, loads_unambiguous

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWTError

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures with a private key only: with HS256 whoever knows the public key could sign."""

RFC_9068 = "at+jwt"
"""Source: RFC 9068 §2.1, the `typ` of an access token."""

TYPES = (RFC_9068, "jwt", "")
"""What is taken unless a setting says less: Cognito writes no `typ`, Entra and Keycloak `JWT`.

Never another, such as `logout+jwt`: a token that is meant for something else (RFC 8725 §3.11).
"""

_OF_ID_TOKENS = ("nonce", "at_hash", "c_hash")
"""Source: OpenID Connect Core §3.3.2.11: what says who logged in is no permission to call."""

LEEWAY_S = 30
"""How far the issuer's clock may be off."""

LONGEST_TOKEN = 16 * 1024


Fetch = Callable[[], Any]

LIFESPAN_S = 300.0
"""How long a fetched set is good: what an issuer withdraws is refused that much later."""

STALE_S = 24 * 3600.0
"""How long the last good set serves on where the issuer does not answer."""

COOLDOWN_S = 30.0
"""The shortest time between two fetches that unknown keys, or failures, cause.

Anybody can make up a key id: without it every forged token would be a request to the issuer.
"""


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What a good token says. `claim` names the principal."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ALGORITHMS
    claim: str = "sub"
    types: tuple[str, ...] = TYPES


class JwtAuthenticator:
    """Knows callers by a signed token."""

    challenge = "Bearer"

    def __init__(self, rules: TokenRules, keys: KeySet) -> None:
        """Check tokens against `rules` with the issuer's `keys`."""
        self._rules = rules
        self._keys = keys
        self.openapi: JsonObject = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": f"An access token of {rules.issuer}.",
        }

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who the token was issued for; raises AuthError."""
        claims = await self._claims(bearer_token(scope))
        principal = claims.get(self._rules.claim)
        if not is_principal(principal) or _is_reserved(str(principal)):
            raise invalid_token(
                "no-principal", f"the token's claim {self._rules.claim!r} is no name"
            )
        granted = _scopes(claims)
        return Identity(principal=str(principal), operator=OPERATOR in granted, scopes=granted)

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise invalid_token("malformed", "this is no access token")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise invalid_token("malformed", "this is no access token") from None
        if header.get("alg") not in self._rules.algorithms:
            raise invalid_token("wrong-algorithm", "tokens signed that way are not taken")
        kind = str(header.get("typ", "")).lower().removeprefix("application/")
        if kind not in self._rules.types:
            raise invalid_token("wrong-type", "this is a token of another kind (`typ`)")
        try:
            key = await self._keys.find(header.get("kid"))
        except Unreachable as error:
            detail = "tokens cannot be checked at the moment"
            raise AuthError(503, "no-keys", detail, retry_after_s=30, fault=str(error)) from None
        if key is None:
            raise invalid_token(
                "unknown-key", "the token is signed with a key its issuer does not have"
            )
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=self._rules.algorithms,
                audience=self._rules.audiences,
                issuer=self._rules.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", self._rules.claim]},
            )
        except jwt.PyJWTError as error:
            raise _auth_error(error) from None
        except (ValueError, TypeError, RecursionError):
            raise invalid_token("malformed", "this is no access token") from None
        if kind != RFC_9068 and _is_id_token(claims):
            raise invalid_token("wrong-type", "this is an ID token; an access token is needed")
        return claims


def _is_reserved(principal: str) -> bool:
    """Tell whether a name is another's, however it is written.

    ARNs belong to those whose signatures AWS has checked, `local` to this machine's callers.
    """
    plain = principal.strip().lower()
    return plain.startswith("arn:") or plain == LOCAL_PRINCIPAL


def _is_id_token(claims: dict[str, Any]) -> bool:
    # `token_use` is Cognito's.
    return claims.get("token_use", "access") != "access" or any(c in claims for c in _OF_ID_TOKENS)


def _auth_error(error: PyJWTError) -> AuthError:
    """Return the library's error in our words; its own may hold parts of the token."""
    import jwt

    reasons: tuple[tuple[type[PyJWTError], str, str], ...] = (
        (jwt.ExpiredSignatureError, "expired", "the token has expired"),
        (jwt.ImmatureSignatureError, "not-yet-valid", "the token is not valid yet"),
        (jwt.InvalidAudienceError, "wrong-audience", "the token was issued for somebody else"),
        (jwt.InvalidIssuerError, "wrong-issuer", "the token comes from another issuer"),
        (jwt.InvalidSignatureError, "wrong-signature", "the token's signature is not good"),
        (jwt.InvalidAlgorithmError, "wrong-algorithm", "tokens signed that way are not taken"),
        (jwt.MissingRequiredClaimError, "missing-claim", "the token lacks a claim"),
    )
    for kind, reason, detail in reasons:
        if isinstance(error, kind):
            return invalid_token(reason, detail)
    return invalid_token("malformed", "this is no access token")


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the granted scopes: `scope` (RFC 9068), or `scp` as some issuers write it."""
    granted = claims.get("scope", claims.get("scp", ()))
    if isinstance(granted, str):
        return frozenset(granted.split())
    if isinstance(granted, list):
        return frozenset(name for name in granted if isinstance(name, str))
    return frozenset()


class KeySet:
    """Public keys by their id. `fetch` returns the JWKS document and may block."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with no keys; the first token fetches them."""
        self._fetch = fetch
        self._clock = clock
        self._keys: list[PyJWK] = []
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None) -> PyJWK | None:
        """Return the key with this id, or None; without an id, the only key there is.

        Raises Unreachable where there are no keys at all.
        """
        if self._older_than(LIFESPAN_S):
            await self._refresh()
        found = self._match(kid)
        if found is None:
            await self._refresh()
            found = self._match(kid)
        return found

    def _match(self, kid: str | None) -> PyJWK | None:
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return next((key for key in self._keys if key.key_id == kid), None)

    async def _refresh(self) -> None:
        """Fetch the keys, unless that was tried a moment ago; requests at once fetch once."""
        async with self._lock:
            now = self._clock()
            if self._tried_at is None or now - self._tried_at >= COOLDOWN_S:
                self._tried_at = now
                try:
                    self._keys = await asyncio.to_thread(self._read)
                    self._fetched_at = now
                except Exception as error:  # whatever it is: the old keys serve on for a while
                    if self._older_than(STALE_S):
                        raise _no_keys(error) from error
            elif self._older_than(STALE_S):
                raise _no_keys(None)

    def _older_than(self, seconds: float) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= seconds

    def _read(self) -> list[PyJWK]:
        """Return the keys that may sign, of those this machine understands."""
        from jwt import PyJWKSet

        document = self._fetch()
        keys = PyJWKSet.from_dict(document).keys
        return [key for key in keys if key.public_key_use in {None, "sig"}]


def fetch_from(source: str) -> Fetch:
    """Return how to read a JWKS from an https address or a file's path.

    Redirects are not followed, and the answer has 5 seconds.
    """
    if "://" not in source:
        return lambda: loads_unambiguous(Path(source).read_bytes())
    from jwt import PyJWKClient

    return PyJWKClient(source, cache_jwk_set=False, timeout=5).fetch_data


def _no_keys(error: Exception | None) -> Unreachable:
    why = f": {type(error).__name__}: {error}" if error else ""
    return Unreachable(f"the issuer's keys cannot be read{why}", hint="Check SQSWARM_JWT_JWKS.")
