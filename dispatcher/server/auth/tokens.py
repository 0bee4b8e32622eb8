"""Tokens: OAuth 2.1 access tokens that are JWTs, held against the issuer's public keys.

Source: RFC 9068 (JWT access tokens), RFC 8725 (JWT best current practices); MCP specification
2026-07-28, "Authorization: token validation".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqswarm.dispatcher.server.auth.authenticator import Scope, bearer_token, is_principal
from sqswarm.dispatcher.server.auth.errors import AuthError, invalid
from sqswarm.dispatcher.server.auth.jwks import KeySet
from sqswarm.dispatcher.server.auth.scopes import OPERATOR
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.schemas.errors import Unreachable

if TYPE_CHECKING:
    from jwt import PyJWTError

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures with a private key only: with HS256 whoever knows the public key could sign."""

LEEWAY_S = 30
"""How far the issuer's clock may be off."""

LONGEST_TOKEN = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class TokenRules:
    """What a good token says. `claim` names the principal."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ALGORITHMS
    claim: str = "sub"


class Tokens:
    """Knows callers by a signed token."""

    challenge = "Bearer"

    def __init__(self, rules: TokenRules, keys: KeySet) -> None:
        """Check tokens against `rules` with the issuer's `keys`."""
        self._rules = rules
        self._keys = keys

    async def authenticate(self, scope: Scope) -> Identity:
        """Return who the token was issued for; raises AuthError."""
        claims = await self._claims(bearer_token(scope))
        principal = claims.get(self._rules.claim)
        # ARNs belong to those whose signatures AWS has checked.
        if not is_principal(principal) or str(principal).startswith("arn:"):
            raise invalid("no-principal", f"the token's claim {self._rules.claim!r} is no name")
        granted = _scopes(claims)
        return Identity(principal=str(principal), operator=OPERATOR in granted, scopes=granted)

    async def _claims(self, token: str) -> dict[str, Any]:
        import jwt

        if len(token) > LONGEST_TOKEN:
            raise invalid("malformed", "this is no access token")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise invalid("malformed", "this is no access token") from None
        if header.get("alg") not in self._rules.algorithms:
            raise invalid("wrong-algorithm", "tokens signed that way are not taken")
        try:
            key = await self._keys.find(header.get("kid"))
        except Unreachable as error:
            detail = "tokens cannot be checked at the moment"
            raise AuthError(503, "no-keys", detail, retry_after_s=30, fault=str(error)) from None
        if key is None:
            raise invalid("unknown-key", "the token is signed with a key its issuer does not have")
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
            raise _refused(error) from None
        except (ValueError, TypeError, RecursionError):
            raise invalid("malformed", "this is no access token") from None
        return claims


def _refused(error: PyJWTError) -> AuthError:
    """Return the library's verdict in our words; its own may hold parts of the token."""
    import jwt

    verdicts: tuple[tuple[type[PyJWTError], str, str], ...] = (
        (jwt.ExpiredSignatureError, "expired", "the token has expired"),
        (jwt.ImmatureSignatureError, "not-yet-valid", "the token is not valid yet"),
        (jwt.InvalidAudienceError, "wrong-audience", "the token was issued for somebody else"),
        (jwt.InvalidIssuerError, "wrong-issuer", "the token comes from another issuer"),
        (jwt.InvalidSignatureError, "wrong-signature", "the token's signature is not good"),
        (jwt.InvalidAlgorithmError, "wrong-algorithm", "tokens signed that way are not taken"),
        (jwt.MissingRequiredClaimError, "missing-claim", "the token lacks a claim"),
    )
    for kind, reason, detail in verdicts:
        if isinstance(error, kind):
            return invalid(reason, detail)
    return invalid("malformed", "this is no access token")


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    """Return the granted scopes: `scope` (RFC 9068), or `scp` as some issuers write it."""
    granted = claims.get("scope", claims.get("scp", ()))
    if isinstance(granted, str):
        return frozenset(granted.split())
    if isinstance(granted, list):
        return frozenset(name for name in granted if isinstance(name, str))
    return frozenset()
