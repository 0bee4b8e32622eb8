"""Putting values in words for readers; what is not known says so."""

from __future__ import annotations

from html import escape
from typing import Any

UNKNOWN = '<span class="unknown">unknown</span>'


def size(count_bytes: float | None) -> str:
    """A size with its unit: '1.4 MB'."""
    if count_bytes is None:
        return "unknown"
    for unit in ("B", "kB", "MB"):
        if count_bytes < 1000:  # noqa: PLR2004
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1000
    return f"{count_bytes:.1f} GB"


def shown(value: Any) -> str:
    """A value as HTML, escaped; links only where they are web addresses."""
    match value:
        case None:
            return UNKNOWN
        case True | False:
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return ", ".join(shown(v) for v in value) or '<span class="muted">none</span>'
        case str() if value.startswith(("https://", "http://")) and not set(value) & set(" \t\n\r"):
            return f'<a href="{escape(value)}" rel="noreferrer noopener">{escape(value)}</a>'
    return escape(str(value))


def share(part: float | None) -> str:
    """A share as a percentage."""
    return "unknown" if part is None else f"{part:.0%}"


def facts(pairs: list[tuple[str, Any]]) -> str:
    """A list of terms and values."""
    return (
        "<dl>"
        + "".join(f"<dt>{escape(term)}</dt><dd>{shown(value)}</dd>" for term, value in pairs)
        + "</dl>"
    )
