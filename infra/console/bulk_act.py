"""Bulk act: something done with many, once they were counted and somebody agreed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button
from sqswarm.infra.console.states import failed
from sqswarm.infra.console.text import one_line, visible

if TYPE_CHECKING:
    from sqswarm import AsyncSwarm
    from sqswarm.schemas.errors import SwarmError

_TOLD = 5
"""Refusals that are shown; the rest are counted."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """How many there are, and of what in words. `more`: there may be more."""

    number: int
    words: str
    more: bool = False

    @property
    def told(self) -> str:
        """Return both."""
        return f"{self.number:,}{' or more' if self.more else ''} {self.words}"


@dataclass(frozen=True, kw_only=True)
class BulkAct:
    """What is done: `verb` asks for it, `doing` and `done` tell of it, `name` logs it.

    `acts` does it, at most so many in a second, and yields what became of each: a thing with an
    `error`, None where it went well.
    """

    name: str
    verb: str
    doing: str
    done: str
    count: Callable[[AsyncSwarm], Awaitable[Counted]]
    acts: Callable[[AsyncSwarm, float | None], AsyncGenerator[Any]]
    after: Callable[[], Awaitable[object]]
    bad: bool = False
    fields: dict[str, Any] = field(default_factory=dict)


def bulk_button(view: View, act: BulkAct, text: str, icon: str, *, label: str = "") -> None:
    """Build the button that begins a bulk act; none where the console only reads."""
    if not view.context.writes:
        return

    async def begin() -> None:
        await _Dialog(view, act).run()

    made = button(text, icon, begin, kind="bad" if act.bad else "")
    if label:
        made.props["aria-label"] = visible(label, limit=200)


class _Dialog:
    """The dialog: a count and a question, then progress, then what became of it."""

    def __init__(self, view: View, act: BulkAct) -> None:
        self._view = view
        self._act = act
        self._stopped = False
        # Not where the button is: that is built anew once something has changed.
        with ui.context.client.content, ui.dialog(value=True) as self._dialog:
            self._dialog.props('persistent aria-label="Bulk act"')
            with ui.card().style("max-width: 34rem; width: 100%"):
                self._place = ui.element("div").classes("sq-form")
        self._dialog.on("hide", self._dialog.delete)

    async def run(self) -> None:
        with self._place:
            ui.label("Counting…").props('role="status"')
        try:
            counted = await self._act.count(await self._view.context.swarm())
        except Exception as error:  # whatever it is, the dialog says it
            self._show(partial(failed, error))
            return
        self._show(lambda: self._ask(counted))

    def _show(self, render: Callable[[], object], *, close: str = "Close") -> None:
        if self._place.is_deleted:
            return
        with self._place:
            self._place.clear()
            render()
            if close:
                button(close, "close", self._dialog.close).style("align-self: flex-start")

    def _ask(self, counted: Counted) -> None:
        with ui.element("h2"):
            ui.label(f"{self._act.verb} {visible(counted.told)}?")
        if not counted.number:
            ui.label("There is nothing to do.").classes("sq-soft")
            return
        rate = ui.input("How many in a second at most (optional)").props(
            "outlined dense inputmode=decimal"
        )

        async def go() -> None:
            given = (rate.value or "").strip()
            if given and _rate_of(given) is None:
                rate.props["error"] = True
                rate.props["error-message"] = "A number over 0, or nothing."
                return
            await self._go(counted, _rate_of(given))

        kind = "bad" if self._act.bad else "main"
        button(f"{self._act.verb} {counted.number:,}", "done_all", go, kind=kind).style(
            "align-self: flex-start"
        )

    async def _go(self, counted: Counted, rate_per_s: float | None) -> None:
        self._show(lambda: self._progress(counted), close="")
        done = 0
        refused: list[tuple[str, SwarmError]] = []

        async def do(swarm: AsyncSwarm) -> None:
            nonlocal done
            acts = self._act.acts(swarm, rate_per_s)
            try:
                async for one in acts:
                    if one.error is None:
                        done += 1
                    else:
                        refused.append((_name_of(one), one.error))
                    self._say(done + len(refused), len(refused), counted)
                    if self._stopped or self._place.is_deleted:
                        return
            finally:
                await acts.aclose()

        fields = {**self._act.fields, "counted": counted.number}
        try:
            await self._view.context.act(self._act.name, do, **fields)
        except Exception as error:  # whatever it is, the dialog says it
            self._show(partial(self._end, done, refused, error))
        else:
            self._show(partial(self._end, done, refused, None))
        if not self._place.is_deleted:
            await self._act.after()

    def _progress(self, counted: Counted) -> None:
        with ui.element("h2"):
            ui.label(f"{self._act.doing}…")
        self._bar = ui.linear_progress(0.0, show_value=False).props('aria-label="Progress"')
        self._state = ui.label(f"0 of {counted.told}").props('role="status"')
        button("Stop", "stop", self._stop).style("align-self: flex-start")

    def _say(self, number: int, refused: int, counted: Counted) -> None:
        if self._place.is_deleted:
            return
        self._bar.set_value(min(number / max(counted.number, 1), 1.0))
        refusals = f", {refused:,} refused" if refused else ""
        self._state.set_text(f"{number:,} of {counted.told}{refusals}")

    def _stop(self) -> None:
        self._stopped = True

    def _end(
        self, done: int, refused: list[tuple[str, SwarmError]], error: Exception | None
    ) -> None:
        with ui.element("h2"):
            ui.label(f"{done:,} {self._act.done}" + (", then stopped" if self._stopped else ""))
        if self._stopped or error is not None:
            ui.label("Begun again, it goes on with what is left.").classes("sq-soft")
        if refused:
            ui.label(f"{len(refused):,} were refused, and left as they are:")
            with ui.element("ul").style("margin: 0; padding-left: 1.2rem"):
                for name, why in refused[:_TOLD]:
                    with ui.element("li"):
                        ui.label(f"{name}: {one_line(str(why))}").classes("sq-small")
        if error is not None:
            failed(error)


def _rate_of(text: str) -> float | None:
    """Return a rate over 0, None for what is none."""
    try:
        rate = float(text)
    except ValueError:
        return None
    return rate if 0 < rate < float("inf") else None


def _name_of(one: Any) -> str:
    letter = getattr(one, "letter", None)
    return str(one.task_id if letter is None else letter.task_id or "a message without a task")
