"""Who may call the door: one way to know callers, and the checks before it."""

from __future__ import annotations

from sqswarm.dispatcher.server.auth.middleware import Access, Guard
from sqswarm.dispatcher.server.auth.settings import access_from_environment

__all__ = ["Access", "Guard", "access_from_environment"]
