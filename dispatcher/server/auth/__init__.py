"""Who may call the server: one way to know callers, and the checks before it."""

from __future__ import annotations

from sqswarm.dispatcher.server.auth.middleware import Access, AuthMiddleware
from sqswarm.dispatcher.server.auth.settings import access_from_environment

__all__ = ["Access", "AuthMiddleware", "access_from_environment"]
