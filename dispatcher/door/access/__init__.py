"""Who may call the door: one way to know callers, and the checks before it."""

from __future__ import annotations

from dispatcher.door.access.guard import Access, Guard
from dispatcher.door.access.settings import access_from_environment

__all__ = ["Access", "Guard", "access_from_environment"]
