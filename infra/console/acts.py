"""Acts: buttons that change something; what they did or why they could not is said where they are.

Where the console only reads they are not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from sqswarm.infra.cli.failure import failure_of
from sqswarm.infra.console.text import visible


async def attempt(act: Callable[[], Awaitable[Any]], place: ui.element, *, done: str = "") -> bool:
    """Do an act, and say in `place` why it could not be done; returns whether it was."""
    place.clear()
    try:
        await act()
    except Exception as error:  # whatever it is, it is said
        failure = failure_of(error)
        with place, ui.element("div").classes("sq-card sq-error").props('role="alert"'):
            ui.label(visible(failure.message)).style("font-weight: 600; overflow-wrap: anywhere")
            ui.label(visible(failure.hint)).classes("sq-soft")
        return False
    if done:
        ui.notify(done, type="positive")
    return True


def ask_first(question: str, yes: str, act: Callable[[], Awaitable[Any]]) -> None:
    """Ask before an act that cannot be undone."""
    dialog = ui.dialog(value=True).props('aria-label="Are you sure?"')
    with dialog, ui.card().style("max-width: 30rem; width: 100%"):
        with ui.element("h2"):
            ui.label(visible(question))
        place = ui.element("div").style("width: 100%")

        async def go() -> None:
            if await attempt(act, place):
                dialog.close()

        with ui.element("div").classes("sq-row"):
            ui.button(yes, on_click=go, color=None).props("unelevated no-caps").classes(
                "sq-button-bad"
            )
            ui.button("Leave it", on_click=dialog.close, color=None).props(
                "unelevated no-caps"
            ).classes("sq-button")
    dialog.on("hide", dialog.delete)
