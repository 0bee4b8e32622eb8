"""Text: JSON for a model to read, no longer than it can take."""

from __future__ import annotations

import json
from typing import Any


def cut(value: Any, limit: int) -> tuple[str | None, bool]:
    """Return `value` as JSON text of at most `limit` characters, and whether it was cut."""
    if value is None:
        return None, False
    return cut_text(json.dumps(value, ensure_ascii=False), limit)


def cut_text(text: str, limit: int) -> tuple[str, bool]:
    """Return the first `limit` characters of a text, and whether that was not all."""
    return text[:limit], len(text) > limit
