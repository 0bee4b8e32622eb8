"""Static keys: a name and a secret each, for laptops and small installations."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256

from sqswarm.dispatcher.server.auth.authenticator import Scope, bearer_token, is_principal
from sqswarm.dispatcher.server.auth.errors import invalid
from sqswarm.dispatcher.server.auth.scopes import USER
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.schemas.errors import InvalidSettings

SHORTEST_KEY = 16
_MAKE_ONE = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


class StaticKeys:
    """Knows callers by a key. Only digests of the keys are kept."""

    challenge = "Bearer"

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        """Take (principal, key) pairs; a principal may have two keys while one is replaced."""
        self._digests = [(name, _digest(key)) for name, key in keys]

    async def authenticate(self, scope: Scope) -> Identity:
        """Return whose key it is; raises AuthError. Every key is compared, in constant time."""
        shown = _digest(bearer_token(scope))
        found = [name for name, digest in self._digests if hmac.compare_digest(digest, shown)]
        if not found:
            raise invalid("unknown-key", "this key is not known here")
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
