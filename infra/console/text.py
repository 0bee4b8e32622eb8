"""Text: what agents, callers and models wrote, shown as it is and never taken for anything else.

NiceGUI's labels and table cells are text already. What is left are characters that hide, move or
overwrite others: they are shown by their names.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from sqswarm.schemas.json import dumps

CUT = 20_000
"""Characters of one text that a page shows; the rest is a download away."""

_KEPT = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of what has no shape of its own: controls, formats (among them the marks
that turn the direction of writing), halves of characters, separators of lines."""


def visible(text: str, *, limit: int = CUT) -> str:
    """Return the text with everything in it to be seen, and cut after `limit` characters."""
    shown = text if text.isascii() and text.isprintable() else "".join(map(_visible, text[:limit]))
    return shown if len(text) <= limit else f"{shown[:limit]}… ({len(text):,} characters)"


def one_line(text: str, *, limit: int = 160) -> str:
    """Return the text on one line, for a table's cell."""
    return visible(" ".join(text[: 4 * limit].split()), limit=limit)


def as_json(value: Any) -> str:
    """Return a value as indented JSON, everything in it to be seen."""
    return visible(json.dumps(value, indent=2, ensure_ascii=False))


def as_line(value: Any, *, limit: int = 160) -> str:
    """Return a value as JSON on one line."""
    return one_line(dumps(value), limit=limit)


def _visible(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return f"⟨U+{ord(character):04X}⟩"
