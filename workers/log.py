"""The log that agents and the runtime write: the dispatcher's."""

from __future__ import annotations

from dispatcher.log import Log

__all__ = ["Log"]
