"""The dead letters of one agent, a page at a time, with what each of them was."""

from __future__ import annotations

import time
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.dispatcher.lifecycle.dead_letters import DeadLetter, DeadLetters
from sqswarm.infra.console.bulk_act import bulk_button
from sqswarm.infra.console.dead_letters import redrive_act
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, code, facts, mono_link
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import one_line, visible
from sqswarm.infra.console.times import ago, exact

_A_PAGE = 25


async def show(view: View, agent: str, reason: str = "", page: str = "1") -> None:
    """Build the page of the dead letters of `agent`, of one `reason` where it is given."""
    number = max(int(page), 1) if page.isdecimal() and len(page) <= 6 else 1  # noqa: PLR2004
    of = f": {one_line(reason, limit=60)}" if reason else ""
    view.title(f"Dead letters of {visible(agent, limit=60)}{of}")

    async def read() -> DeadLetters:
        swarm = await view.context.swarm()
        offset = (number - 1) * _A_PAGE
        return await swarm.dead_letters(agent, limit=_A_PAGE, offset=offset, reason=reason or None)

    part = Part(read, partial(_render, agent, reason, number))
    view.keys["r"] = part.refresh
    with view.actions():
        act = redrive_act(agent, reason or None, after=part.refresh)
        bulk_button(view, act, "Run all of them again", "replay")
    await part.show()


def _render(agent: str, reason: str, number: int, letters: DeadLetters) -> None:
    if not letters:
        empty("There are no dead letters here.", icon="done")
    else:
        first = (number - 1) * _A_PAGE + 1
        of = "" if reason else f" of {letters.total:,}"
        ui.label(f"{first:,} to {first + len(letters) - 1:,}{of}").classes("sq-soft")
    now_ms = int(time.time() * 1000)
    for place, letter in enumerate(letters, (number - 1) * _A_PAGE + 1):
        _letter(place, letter, now_ms)
    with ui.element("nav").classes("sq-row").props('aria-label="Pages of the list"'):
        if number > 1:
            _go("Page before", "chevron_left", agent, reason, number - 1)
        if len(letters) == _A_PAGE:
            _go("Next page", "chevron_right", agent, reason, number + 1)


def _go(text: str, icon: str, agent: str, reason: str, number: int) -> None:
    query: dict[str, Any] = {"page": number, **({"reason": reason} if reason else {})}
    target = f"/dead-letters/{agent}?{urlencode(query)}"
    button(text, icon, lambda: ui.navigate.to(target))


def _letter(number: int, letter: DeadLetter, now_ms: int) -> None:
    shown = letter.to_json()
    task_id = letter.task_id
    with ui.element("section").classes("sq-card"):
        with ui.element("h2"):
            ui.label(one_line(f"{shown['reason']}: {shown['detail']}", limit=300))
        facts(
            [
                ("Task", partial(mono_link, task_id, f"/tasks/{task_id}") if task_id else "none"),
                ("Attempts", shown["attempts"]),
                ("Since", f"{exact(letter.since_ms)}, {ago(letter.since_ms, now_ms)}"),
            ]
        )
        code(str(shown["body"]), label=f"Message {number}")
