"""The console's application: every page of pages.py, within NiceGUI, to be served or mounted."""

from __future__ import annotations

from importlib import import_module

from nicegui import ui
from starlette.applications import Starlette

from sqswarm.infra.console.access import current_session
from sqswarm.infra.console.context import ConsoleContext
from sqswarm.infra.console.frame import View, framed
from sqswarm.infra.console.pages import PAGES, Page
from sqswarm.infra.console.states import empty

_NOT_FOUND = Page(path="", title="No such page", module="")

_BUILD_S = 60
"""Pages read what takes long after they were shown; this is for a machine that has no time."""


def build_app(context: ConsoleContext) -> Starlette:
    """Return the ASGI application of the console, without access control: see access.py.

    NiceGUI has one application a process, so this is called once.
    """
    for page in PAGES:
        module = import_module(f"{__package__}.{page.module}")
        _ConsolePage(page.path, response_timeout=_BUILD_S)(framed(context, page, module.show))
    app = Starlette()
    ui.run_with(
        app,  # type: ignore[arg-type] # a Starlette application is all it needs
        root=framed(context, _NOT_FOUND, _not_found),
        title="sqswarm",
        favicon="🐝",
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=10,
        show_welcome_message=False,
    )
    return app


class _ConsolePage(ui.page):
    """A page whose first paint has the theme that was chosen in this browser already."""

    def resolve_dark(self) -> bool | None:
        session = current_session.get(None)
        return None if session is None else session.dark


def _not_found(view: View) -> None:
    del view
    empty("There is no such page.", "Choose one from the navigation.", icon="explore_off")
