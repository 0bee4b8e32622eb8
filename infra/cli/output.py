"""What verbs print: JSON for machines, tables and lines for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

_COMMANDS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # line ends, writing directions
    r"\ud800-\udfff]"  # half a character: no stream can write it
)
"""What a terminal obeys rather than shows."""


def visible(text: str) -> str:
    """Return `text` with what commands a terminal escaped as in JSON: ESC as `u001b`.

    What tasks, messages and logs hold comes from anybody: shown as it is, it could clear the
    screen, hide a line, turn round what is read or fill the clipboard. JSON stays the same JSON.
    """
    return _COMMANDS.sub(lambda one: f"\\u{ord(one[0]):04x}", text.replace("\r\n", "\n"))


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    print_line(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_line(value: Any, *, file: IO[str] | None = None) -> None:
    """Print one line of JSON, at once: somebody may be reading along."""
    print_line(json.dumps(value, ensure_ascii=False), file=file)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout, as wide as the terminal; not cut where it is no terminal."""
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table(columns, rows))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table, for what prints it."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in row))
    return made


def print_line(text: str, *, file: IO[str] | None = None) -> None:
    """Print a line to stdout, or to another file."""
    print(visible(text), file=file, flush=True)


def note(text: str, *, dim: bool = False) -> None:
    """Say something on stderr."""
    typer.secho(visible(text), err=True, dim=dim)


def as_text(value: Any) -> str:
    """Return a result as a person reads it: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def duration(seconds: float) -> str:
    """Return a length of time as its two largest units: `3 h 20 min`."""
    whole = max(0, int(seconds))
    units = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
    parts: list[str] = []
    for unit, size in units:
        number, whole = divmod(whole, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])
