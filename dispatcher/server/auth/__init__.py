"""Who may call the server: one way to know callers, and the checks before it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqswarm.dispatcher.server.auth.middleware import Access, AuthMiddleware
    from sqswarm.dispatcher.server.auth.settings import access_from_environment

__all__ = ["Access", "AuthMiddleware", "access_from_environment"]

_HOMES = {
    "Access": "middleware",
    "AuthMiddleware": "middleware",
    "access_from_environment": "settings",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: who wants `checks` alone does not load MCP."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
