"""Identity: who asks at the server, as the access middleware has made sure of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One authenticated caller. An `operator` sees the tasks of every principal."""

    principal: str
    operator: bool = False
    scopes: frozenset[str] = frozenset()


LOCAL = Identity(principal="local")
"""Everybody, where no access is configured: only a loopback address serves so."""


def identity_of(scope_or_request: Any) -> Identity:
    """Return the caller that the access middleware put into an ASGI scope (or request of one).

    Raises PermissionError where no middleware did: a server that forgot its guard lets nobody in.
    """
    scope = getattr(scope_or_request, "scope", scope_or_request)
    state = scope.get("state") if isinstance(scope, Mapping) else None
    caller = state.get("caller") if isinstance(state, Mapping) else None
    if not isinstance(caller, Identity):
        message = "the request passed no access middleware"
        raise PermissionError(message)
    return caller
