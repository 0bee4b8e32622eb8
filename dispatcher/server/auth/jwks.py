"""The issuer's public keys (JWKS): cached, and fetched again when a token names a new one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.json import loads

if TYPE_CHECKING:
    from jwt import PyJWK

Fetch = Callable[[], Any]

LIFESPAN_S = 300.0
"""How long a fetched set is good: what an issuer withdraws is refused that much later."""

STALE_S = 24 * 3600.0
"""How long the last good set serves on where the issuer does not answer."""

COOLDOWN_S = 30.0
"""The shortest time between two fetches that unknown keys, or failures, cause.

Anybody can make up a key id: without it every forged token would be a request to the issuer.
"""


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
        return lambda: loads(Path(source).read_bytes())
    from jwt import PyJWKClient

    return PyJWKClient(source, cache_jwk_set=False, timeout=5).fetch_data


def _no_keys(error: Exception | None) -> Unreachable:
    why = f": {type(error).__name__}: {error}" if error else ""
    return Unreachable(f"the issuer's keys cannot be read{why}", hint="Check SQSWARM_JWT_JWKS.")
