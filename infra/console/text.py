"""Text: what agents, callers and models wrote, shown as it is and never taken for anything else.

NiceGUI's labels and table cells are text already. What is left are characters that hide, move or
overwrite others: they are shown by their names.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

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


def as_json(value: Any, *, indent: int | None = 2) -> str:
    """Return a value as JSON that says the same, with everything in it to be seen."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    # Outside of its strings JSON has no such characters, and within them they may be escaped.
    return text if text.isascii() else "".join(map(_escaped, text))


def hides(text: str) -> bool:
    """Tell whether something of a text cannot be seen."""
    return any(map(_hidden, text))


def _hidden(character: str) -> bool:
    return character not in _KEPT and unicodedata.category(character) in _HIDDEN


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1] if _hidden(character) else character


def _visible(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩" if _hidden(character) else character
