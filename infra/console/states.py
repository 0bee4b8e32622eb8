"""What a page shows where there is nothing yet, nothing at all, or an error instead."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from nicegui import background_tasks, ui

from sqswarm.infra.cli.failure import failure_of
from sqswarm.infra.console.text import visible

T = TypeVar("T")

_AT_ONCE_S = 0.4
"""What is read within this time is in the page when it opens; later, its outline comes first."""


def empty(text: str, hint: str = "", *, icon: str = "inbox") -> None:
    """Say that there is nothing, and what would bring something."""
    with ui.element("div").classes("sq-empty"):
        ui.icon(icon)
        ui.label(text).classes("sq-grow")
        if hint:
            ui.label(hint).classes("sq-small")


def loading(lines: int = 5) -> None:
    """Show the outline of what is on its way."""
    with ui.element("div").classes("sq-card").props('role="status" aria-label="Loading"'):
        for line in range(lines):
            ui.skeleton("text").style(f"width: {95 - 13 * (line % 4)}%")


def failed(error: BaseException, retry: Callable[[], object] | None = None) -> None:
    """Say what went wrong and what to do, as the command line does."""
    failure = failure_of(error)
    with ui.element("div").classes("sq-card sq-error").props('role="alert"'):
        ui.label(visible(failure.message)).style("font-weight: 600; overflow-wrap: anywhere")
        ui.label(visible(failure.hint)).classes("sq-soft")
        if retry is not None:
            ui.button("Try again", icon="refresh", on_click=retry).props("flat no-caps").classes(
                "sq-button"
            ).style("align-self: flex-start")


class Part(Generic[T]):
    """A part of a page that is read, and read again: loading, then its content or an error.

    While it is read again the old content stays, so nothing flickers. An error replaces it only
    where there is none yet; otherwise `stale` is called with it, and with None when it is over.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        render: Callable[[T], object],
        *,
        stale: Callable[[BaseException | None], object] | None = None,
    ) -> None:
        """Make room for the part here; `show` fills it."""
        self._read = read
        self._render = render
        self._stale = stale
        self._reading = asyncio.Lock()
        self._filled = False
        self.place = ui.element("div").style("display: contents")

    async def show(self) -> None:
        """Read and show it; what takes long comes after the page."""
        reading = asyncio.ensure_future(self._read())
        await asyncio.wait({reading}, timeout=_AT_ONCE_S)
        if not reading.done():
            with self.place:
                loading()
            client = ui.context.client
            background_tasks.create(self._late(reading, client), name="console part")
            return
        await self._settle(reading)

    async def _late(self, reading: asyncio.Future[T], client: object) -> None:
        del client  # what holds it keeps the page's elements
        await asyncio.wait({reading})
        await self._settle(reading)

    async def refresh(self) -> None:
        """Read and show it again; a call while one is under way does nothing."""
        if self._reading.locked():
            return
        async with self._reading:
            await self._settle(self._read())

    async def _settle(self, reading: Awaitable[T]) -> None:
        try:
            found = await reading
        except Exception as error:  # whatever it is, the page says it
            if self._filled and self._stale is not None:
                self._stale(error)
                return
            self._fill(partial(failed, error, self.refresh))
            return
        self._filled = True
        if self._stale is not None:
            self._stale(None)
        self._fill(partial(self._render, found))

    def _fill(self, render: Callable[[], object]) -> None:
        if self.place.is_deleted:
            return
        with self.place:
            self.place.clear()
            render()


class Changing:
    """A place that is built anew only where what it shows changed: else it keeps its focus."""

    def __init__(self, render: Callable[..., object]) -> None:
        """Make room for it here; `show` fills it."""
        self._render = render
        self._shown: tuple[object, ...] | None = None
        self._place = ui.element("div").style("display: contents")

    def show(self, *values: object) -> None:
        """Show these values."""
        if values == self._shown or self._place.is_deleted:
            return
        self._shown = values
        with self._place:
            self._place.clear()
            self._render(*values)
