"""TokenMeter: tokens of a scripted request, cached ones told apart as the API tells them.

A token is four characters of JSON here: any fixed rule serves, as long as the ledger is held
against the same count.
"""

from __future__ import annotations

from hashlib import sha256

from sqswarm.schemas.json import JsonObject, canonical, dumps

CACHE_MINIMUM_TOKENS = 16
"""The API caches no prefix below about a thousand tokens; scripted ones are shorter."""


class TokenMeter:
    """Counts tokens, and remembers which prefixes it has seen."""

    def __init__(self) -> None:
        """Start with an empty cache."""
        self._cached: dict[str, int] = {}

    def input_of(self, request: JsonObject) -> JsonObject:
        """Return the usage of a request's input, and remember what it asks to be cached."""
        parts = [dumps(request.get("tools", [])), dumps(request.get("system", ""))]
        parts += [dumps(message) for message in request["messages"]]
        total = sum(map(tokens, parts))
        if "cache_control" not in canonical(request):
            return _usage(total, 0, 0)
        hit = 0
        digest, size = sha256(), 0
        seen: list[tuple[str, int]] = []
        for part in parts:
            digest.update(part.encode())
            size += tokens(part)
            seen.append((digest.hexdigest(), size))
        for key, prefix in seen:
            if key in self._cached and prefix >= CACHE_MINIMUM_TOKENS:
                hit = prefix
        if total < CACHE_MINIMUM_TOKENS:
            return _usage(total, 0, 0)
        self._cached.update(seen)
        return _usage(0, total - hit, hit)


def _usage(fresh: int, written: int, read: int) -> JsonObject:
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }


def tokens(text: str) -> int:
    """Return the tokens of a text: one for every four characters, at least one."""
    return max(1, -(-len(text) // 4))
