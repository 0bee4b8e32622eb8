# ruff: noqa: E501 - an element of the page is easier to read in one line
"""Charts as inline SVG: bars with their numbers written out, no script, no request."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

ROW_PX = 24
LABEL_PX = 190
BAR_PX = 300
VALUE_PX = 120


class Bar(NamedTuple):
    """One bar: its label, the parts it is stacked of (value, colour class), its value in words."""

    label: str
    parts: tuple[tuple[float, str], ...]
    value: str


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Draw horizontal bars; without rows, say that there is nothing to draw."""
    if not rows:
        return f'<figure><figcaption>{escape(title)}</figcaption><p class="muted">Nothing to show.</p></figure>'
    longest = max(sum(value for value, _ in row.parts) for row in rows) or 1
    drawn = "".join(_row(number, row, longest) for number, row in enumerate(rows))
    width, height = LABEL_PX + BAR_PX + VALUE_PX, ROW_PX * len(rows)
    told = "; ".join(f"{row.label}: {row.value}" for row in rows)
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}. {escape(told)}">{drawn}</svg></figure>'
    )


def _row(number: int, row: Bar, longest: float) -> str:
    top = number * ROW_PX
    middle = top + ROW_PX * 0.68
    pieces = [
        f'<text class="label" x="{LABEL_PX - 8}" y="{middle:.0f}" text-anchor="end">{escape(_cut(row.label))}</text>'
    ]
    left = float(LABEL_PX)
    for value, colour in row.parts:
        wide = value / longest * BAR_PX
        pieces.append(
            f'<rect class="{colour}" x="{left:.1f}" y="{top + 4}" width="{max(wide, 0.0):.1f}" height="{ROW_PX - 8}" rx="2"/>'
        )
        left += wide
    pieces.append(
        f'<text class="value" x="{left + 6:.1f}" y="{middle:.0f}">{escape(row.value)}</text>'
    )
    return "".join(pieces)


def _cut(label: str, most: int = 27) -> str:
    return label if len(label) <= most else label[: most - 1] + "…"
