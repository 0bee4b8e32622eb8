"""The frame: what every page has around it: header, navigation, theme, keyboard, what is live."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nicegui import events, ui

from sqswarm.infra.console.access import BrowserSession, current_session
from sqswarm.infra.console.context import ConsoleContext
from sqswarm.infra.console.pages import PAGES, Page
from sqswarm.infra.console.theme import STYLE
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.ids import is_task_id
from sqswarm.schemas.naming import check_name

_SEQUENCE_S = 1.5
_SAY_HIDDEN = 'emitEvent("sqswarm_tab", document.hidden)'
_THEMES = {None: ("brightness_auto", "system"), True: ("dark_mode", "dark"),
           False: ("light_mode", "light")}  # fmt: skip
_NEXT = {None: True, True: False, False: None}
KEYS = {
    "/": "find a task or an agent",
    "j": "next row",
    "k": "row before",
    "Enter": "open the row",
    "r": "read again",
    "?": "this help",
}


@dataclass(kw_only=True)
class View:
    """One opened page: what its `show` works with. `keys` are those of the page's own."""

    context: ConsoleContext
    page: Page
    session: BrowserSession
    keys: dict[str, Callable[[], Any]] = field(default_factory=dict)
    hidden: bool = False
    _live: list[ui.timer] = field(default_factory=list)
    _lamp: Any = None
    _state: Any = None
    _fault: BaseException | None = None
    _heading: Any = None
    _actions: Any = None

    def title(self, text: str) -> None:
        """Name the page more precisely than its entry does."""
        self._heading.set_text(text)
        ui.page_title(f"{text} · sqswarm")

    def actions(self) -> Any:
        """Return the place for buttons beside the heading, as a context manager."""
        return self._actions

    def live(self, refresh: Callable[[], Any], *, every_s: float) -> ui.timer:
        """Call `refresh` again and again while somebody can see the page, and say so."""
        timer = ui.timer(every_s, refresh, immediate=False, active=not self.hidden)
        if not self._live:
            with self._actions, ui.element("div").classes("sq-row sq-small sq-soft"):
                self._lamp = ui.element("span").classes("sq-live")
                self._state = ui.label("live").props('role="status"')
        self._live.append(timer)
        self._say()
        return timer

    def stale(self, error: BaseException | None) -> None:
        """Say that what is shown could not be read again, or (None) that it could."""
        self._fault = error
        self._say()

    def ended(self) -> None:
        """Stop what is live for good: nothing of it changes any more."""
        for timer in self._live:
            timer.cancel()
        self._live.clear()
        if self._lamp is not None:
            self._lamp.parent_slot.parent.set_visibility(False)

    def seen(self, *, hidden: bool) -> None:
        """Stop what is live while the tab is hidden; afterwards it starts with a look at once."""
        if self.hidden == hidden:
            return
        self.hidden = hidden
        for timer in self._live:
            timer.active = not hidden
            if not hidden and timer.callback is not None:
                ui.timer(0, timer.callback, once=True)
        self._say()

    def _say(self) -> None:
        if self._state is None:
            return
        text = "paused" if self.hidden else "live" if self._fault is None else "not up to date"
        if self._state.text != text:
            self._state.set_text(text)
            self._lamp.classes(
                **({"remove": "sq-live-off"} if text == "live" else {"add": "sq-live-off"})
            )

    def press(self, key: str) -> bool:
        """Do what a key of this page does; returns whether it has that key."""
        act = self.keys.get(key)
        if act is None:
            return False
        ui.timer(0, act, once=True)
        return True


def framed(context: ConsoleContext, page: Page, show: Callable[..., Any]) -> Callable[..., Any]:
    """Return the page function that NiceGUI serves: the frame, and `show` within it."""

    async def build(**parameters: Any) -> None:
        view = View(context=context, page=page, session=current_session.get())
        with _surroundings(view):
            shown = show(view, **parameters)
            if inspect.isawaitable(shown):
                await shown

    signature = inspect.signature(show, eval_str=True)
    _, *rest = signature.parameters.values()
    build.__signature__ = inspect.Signature(  # type: ignore[attr-defined] # FastAPI reads it
        [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in rest]
    )
    return build


def _surroundings(view: View) -> Any:
    """Build everything around a page and return its content, as a context manager."""
    ui.add_css(STYLE)
    ui.colors(primary="#3447c9", dark="#1a2029", dark_page="#11151c")
    dark = ui.dark_mode(view.session.dark)
    ui.page_title(f"{view.page.title} · sqswarm")
    drawer = _navigation(view)
    search = _header(view, drawer, dark)
    main = ui.element("div").classes("sq-main")
    ui.skip_link("Skip to the page", target=main)
    with main:
        with ui.element("div").classes("sq-row").style("justify-content: space-between"):
            heading = ui.element("h1").classes("sq-grow")
            with heading:
                view._heading = ui.label(view.page.title)  # noqa: SLF001 - made here
            view._actions = ui.element("div").classes("sq-row")  # noqa: SLF001
        if not view.context.writes:
            with ui.element("div").classes("sq-row sq-small sq-soft"):
                ui.icon("lock")
                ui.label("Read-only: start it with --allow-writes to submit, retry or cancel.")
    _keyboard(view, search)
    # Timers run on the server, which cannot see the tab: this is what a browser says of it.
    ui.on("sqswarm_tab", lambda said: view.seen(hidden=bool(said.args)))
    ui.run_javascript(f'document.addEventListener("visibilitychange", () => {_SAY_HIDDEN})')
    # NiceGUI keeps a page that was left for a while, in case its browser comes back.
    client = ui.context.client
    client.on_disconnect(lambda: view.seen(hidden=True))
    client.on_connect(lambda: client.run_javascript(_SAY_HIDDEN))
    return main


def _navigation(view: View) -> Any:
    drawer = ui.left_drawer(value=False, bordered=True).props(
        "breakpoint=900 width=210 show-if-above"
    )
    drawer.classes("sq-nav")
    with drawer:
        pages = ui.element("nav").props('aria-label="Pages"').style("width: 100%")
    with pages, ui.element("ul"):
        for page in PAGES:
            if not page.icon:
                continue
            with ui.element("li"), ui.link(target=page.path) as link:
                ui.icon(page.icon, size="1.2rem")
                ui.label(page.title)
                ui.label(f"g {page.key}").classes("sq-key sq-wide").props('aria-hidden="true"')
            if view.page.path == page.path or (
                page.path != "/" and view.page.path.startswith(f"{page.path}/")
            ):
                link.props('aria-current="page"')
    return drawer


def _header(view: View, drawer: Any, dark: Any) -> Any:
    with ui.header().classes("sq-header"):
        ui.button(icon="menu", on_click=drawer.toggle).props(
            'flat round dense color=none aria-label="Show or hide the navigation"'
        )
        ui.link("sqswarm", "/").classes("sq-brand")
        stage = view.context.settings.stage
        ui.label(stage).classes("sq-chip sq-chip-idle").tooltip(view.context.where)
        search = (
            ui.input(placeholder="Task id or agent")
            .props('dense outlined clearable aria-label="Find a task or an agent"')
            .classes("sq-grow")
            .style("max-width: 26rem; margin-left: auto")
        )
        search.on("keydown.enter", lambda: find(search.value or ""))
        icon, name = _THEMES[view.session.dark]
        button = ui.button(icon=icon).props(
            f'flat round dense color=none aria-label="Theme: {name}"'
        )

        def turn() -> None:
            view.session.dark = _NEXT[view.session.dark]
            dark.set_value(view.session.dark)
            icon, name = _THEMES[view.session.dark]
            button.set_icon(icon)
            button.props(f'aria-label="Theme: {name}"')

        button.on_click(turn)
        ui.button(icon="keyboard", on_click=_help).props(
            'flat round dense color=none aria-label="Keyboard"'
        ).classes("sq-wide")
    return search


def find(text: str) -> None:
    """Go to what somebody typed: a task's id or an agent's name."""
    wanted = text.strip()
    if is_task_id(wanted):
        ui.navigate.to(f"/tasks/{wanted}")
    elif wanted:
        try:
            ui.navigate.to(f"/agents/{check_name(wanted, what='agent')}")
        except InvalidAgent:
            ui.notify("That is no task id and no agent's name.", type="warning")


def _keyboard(view: View, search: Any) -> None:
    started = [0.0]
    goes = {page.key: page.path for page in PAGES if page.key}

    def pressed(event: events.KeyEventArguments) -> None:
        key, modifiers = event.key.name, event.modifiers
        if not event.action.keydown or modifiers.ctrl or modifiers.alt or modifiers.meta:
            return
        after_g, started[0] = time.monotonic() - started[0] < _SEQUENCE_S, 0.0
        if after_g and key in goes:
            ui.navigate.to(goes[key])
        elif key == "g":
            started[0] = time.monotonic()
        elif key == "/":
            search.run_method("focus")
        elif key == "?":
            _help()
        elif not event.action.repeat or key in {"j", "k"}:
            view.press(key)

    ui.keyboard(on_key=pressed)


def _help() -> None:
    dialog = ui.dialog(value=True).props('aria-label="Keyboard"')
    with dialog, ui.card():
        with ui.element("h2"):
            ui.label("Keyboard")
        with ui.element("dl").classes("sq-facts"):
            goes = {f"g {page.key}": page.title for page in PAGES if page.key}
            for key, does in {**KEYS, **goes}.items():
                with ui.element("dt"):
                    ui.label(key).classes("sq-key")
                with ui.element("dd"):
                    ui.label(does)
        ui.button("Close", on_click=dialog.close).props("flat no-caps").classes("sq-button")
    dialog.on("hide", dialog.delete)
