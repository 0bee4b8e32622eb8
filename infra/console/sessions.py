"""Sessions: the conversations that tasks lately took part in."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card, table
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.task_table import short_principal
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import ago

_LOOKED_AT = 500
"""Newest tasks in which sessions are looked for: no table lists them by themselves."""


@dataclass(kw_only=True)
class _Row:
    agent: str
    principal: str
    session_id: str
    last_ms: int
    tasks: int = 0


async def show(view: View) -> None:
    """Build the page."""

    async def read() -> list[_Row]:
        rows: dict[tuple[str, str, str], _Row] = {}
        for task in await (await view.context.swarm()).list(limit=_LOOKED_AT):
            record = task.record
            if record.session_id is None:
                continue
            key = record.agent, record.principal, record.session_id
            row = rows.setdefault(
                key,
                _Row(
                    agent=record.agent,
                    principal=record.principal,
                    session_id=record.session_id,
                    last_ms=record.updated_ms,
                ),
            )
            row.tasks += 1
            row.last_ms = max(row.last_ms, record.updated_ms)
        return sorted(rows.values(), key=lambda row: -row.last_ms)

    await _finder(view)
    part = Part(read, _render)
    view.keys["r"] = part.refresh
    await part.show()


async def _finder(view: View) -> None:
    try:
        swarm = await view.context.swarm()
        agents, mine = [entry.name for entry in swarm.agents()], swarm.principal
    except Exception:  # the part below says what is wrong
        return
    if not agents:
        return
    with card("Find one"), ui.element("div").classes("sq-row").props('role="search"'):
        small = "outlined dense options-dense"
        session = ui.input("Session id").props("outlined dense")
        agent = ui.select(agents, value=agents[0], label="Agent").props(small)
        principal = ui.input("Whose", value=mine).props("outlined dense").classes("sq-grow")

        def go() -> None:
            if session.value and principal.value:
                ui.navigate.to(session_path(agent.value, principal.value, session.value))

        session.on("keydown.enter", go)
        button("Open", "arrow_forward", go, kind="main")


def session_path(agent: str, principal: str, session_id: str) -> str:
    """Return where a session is shown."""
    return f"/sessions/{agent}?{urlencode({'id': session_id, 'principal': principal})}"


def _render(rows: list[_Row]) -> None:
    if not rows:
        empty(
            f"None of the last {_LOOKED_AT} tasks took part in a session.",
            "sqswarm submit AGENT … session_id=trip-7",
            icon="forum",
        )
        return
    now_ms = int(time.time() * 1000)
    with card():
        ui.label(f"Of the last {_LOOKED_AT} tasks.").classes("sq-soft")
        table(
            ["Session", "Agent", "Whose", "Tasks", "Last"],
            [
                (
                    partial(_link, row),
                    partial(ui.link, row.agent, f"/agents/{row.agent}"),
                    one_line(short_principal(row.principal), limit=60),
                    f"{row.tasks:,}",
                    ago(row.last_ms, now_ms),
                )
                for row in rows
            ],
            label="Sessions",
            numbers="Tasks",
        ).classes("sq-stack")


def _link(row: _Row) -> None:
    target = session_path(row.agent, row.principal, row.session_id)
    ui.link(one_line(row.session_id, limit=80), target).classes("sq-mono")
