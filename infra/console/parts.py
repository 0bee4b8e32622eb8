"""Parts that several pages are made of: cards, facts, chips, code, buttons, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from nicegui import ui

from sqswarm.infra.console.text import as_json, visible


@contextmanager
def card(heading: str = "", *, actions: Callable[[], object] | None = None) -> Any:
    """Build a card with a heading, and buttons beside it."""
    with ui.element("section").classes("sq-card") as made:
        if heading:
            with ui.element("div").classes("sq-row").style("justify-content: space-between"):
                with ui.element("h2"):
                    ui.label(heading)
                if actions is not None:
                    with ui.element("div").classes("sq-row"):
                        actions()
        yield made


def facts(pairs: Iterable[tuple[str, object]], *, two: bool = False) -> None:
    """Show names and values; a value is text, or a function that builds its place.

    They stand in `two` columns where there is room.
    """
    with ui.element("dl").classes("sq-facts sq-facts-two" if two else "sq-facts"):
        for name, value in pairs:
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                if callable(value):
                    value()
                else:
                    ui.label(visible(str(value)))


def chip(text: str, kind: str) -> ui.label:
    """Show a word in a colour: a status's, or `idle`."""
    return ui.label(text).classes(f"sq-chip sq-chip-{kind}")


def status_chip(status: str) -> ui.label:
    """Show a task's status."""
    return chip(status.replace("_", " "), status)


def code(text: str, *, label: str) -> ui.element:
    """Show text as it is, in letters of one width; it scrolls, by the keyboard too."""
    with ui.element("pre").classes("sq-code") as made:
        made.props(f'tabindex=0 role=region aria-label="{label}"')
        ui.label(visible(text))
    return made


def value_of(value: object, *, label: str) -> ui.element:
    """Show a JSON value; a text as the text it is."""
    return code(value if isinstance(value, str) else as_json(value), label=label)


def button(text: str, icon: str, act: Callable[..., object], *, kind: str = "") -> ui.button:
    """Build a button: `kind` is `main`, `bad` or nothing."""
    made = ui.button(text, icon=icon, on_click=act, color=None)
    return made.props("unelevated no-caps").classes(f"sq-button{kind and f'-{kind}'}")


def mono_link(text: str, target: str) -> ui.link:
    """Show a link to something that has an id."""
    return ui.link(text, target).classes("sq-mono")


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, label: str, numbers: str = ""
) -> ui.element:
    """Build a table of few rows; a cell is text, or a function that builds it.

    `numbers` names the columns (by commas) that are set to the right. With the class `sq-stack` a
    row becomes a block on a narrow screen, each cell behind its column's name.
    """
    right = {name.strip() for name in numbers.split(",")}
    with ui.element("div").classes("sq-table") as made:
        made.props(f'tabindex=0 role=region aria-label="{label}"')
        with ui.element("table"):
            with ui.element("thead"), ui.element("tr"):
                for name in columns:
                    with ui.element("th").props("scope=col") as head:
                        ui.label(name)
                    if name in right:
                        head.classes("sq-number")
            with ui.element("tbody"):
                for row in rows:
                    with ui.element("tr"):
                        for name, cell in zip(columns, row, strict=True):
                            with ui.element("td") as place:
                                place.props["data-name"] = name
                                if callable(cell):
                                    cell()
                                else:
                                    ui.label(visible(str(cell)))
                            if name in right:
                                place.classes("sq-number")
    return made
