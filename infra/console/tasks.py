"""Tasks: the newest, by filters that combine and that the URL holds."""

from __future__ import annotations

import time
from typing import Any

from nicegui import ui

from sqswarm.dispatcher.listing import TaskPage
from sqswarm.infra.console.filters import SINCE, STATUSES, TaskFilters
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button
from sqswarm.infra.console.states import Changing, Part, empty
from sqswarm.infra.console.task_table import TaskTable

_LIMIT = 50
_EVERY_S = 3.0


async def show(view: View) -> None:
    """Build the page."""
    await _TaskList(view).build()


class _TaskList:
    def __init__(self, view: View) -> None:
        self._view = view
        self._filters = TaskFilters.of(ui.context.client.request.query_params)

    async def build(self) -> None:
        place = ui.element("div").classes("sq-row").props('role="search" aria-label="Filters"')
        with place:
            self._build_filters()
        with ui.element("section").classes("sq-card").props('aria-label="Tasks"'):
            self._part = Part(self._read, self._render, stale=self._view.stale)
            self._table = TaskTable(label="Tasks")
            self._foot = Changing(self._build_foot)
        self._view.keys |= {
            "j": self._table.down,
            "k": self._table.up,
            "Enter": self._table.open_at,
            "r": self._part.refresh,
        }
        await self._part.show()
        if not self._filters.cursor:
            self._view.live(self._part.refresh, every_s=_EVERY_S)

    def _build_filters(self) -> None:
        shown = {status: status.replace("_", " ") for status in STATUSES}
        self._select("status", "Status", {"": "any status", **shown})
        self._agents = self._select("agent", "Agent", self._names())
        since = self._filters.since
        self._select("since", "Since", SINCE if since in SINCE else {**SINCE, since: since})
        self._input("error_type", "Error type")
        self._input("where", "Tags", hint="tenant=acme")
        self._input("principal", "By")

    def _names(self) -> dict[str, str]:
        """Return the choices of agents: those that were read last, and the one that is chosen."""
        names = sorted({entry.name for entry in self._view.context.deployed()})
        if self._filters.agent and self._filters.agent not in names:
            names.append(self._filters.agent)
        return {"": "any agent", **{name: name for name in names}}

    def _select(self, name: str, label: str, options: dict[str, str]) -> ui.select:
        async def chosen(event: Any) -> None:
            await self._change(name, event.value)

        made = ui.select(options, value=getattr(self._filters, name), label=label, on_change=chosen)
        return made.props("outlined dense options-dense").classes("sq-filter")

    def _input(self, name: str, label: str, *, hint: str = "") -> None:
        async def typed(event: Any) -> None:
            await self._change(name, (event.value or "").strip())

        made = ui.input(
            label, value=getattr(self._filters, name), placeholder=hint, on_change=typed
        )
        made.props("outlined dense clearable debounce=500").classes("sq-filter")

    async def _change(self, name: str, value: str) -> None:
        if getattr(self._filters, name) == value:
            return
        paged = bool(self._filters.cursor)
        self._filters = self._filters.changed(**{name: value})
        if paged:  # a later page is not live, the newest is
            ui.navigate.to(f"/tasks{self._filters.query()}")
            return
        ui.navigate.history.replace(f"/tasks{self._filters.query()}")
        await self._part.refresh()

    async def _read(self) -> tuple[TaskFilters, TaskPage]:
        filters = self._filters
        swarm = await self._view.context.swarm()
        return filters, await swarm.list(**filters.arguments(), limit=_LIMIT)

    def _render(self, found: tuple[TaskFilters, TaskPage]) -> None:
        """Fill the table; the part's own place is for what is said where it is empty."""
        filters, tasks = found
        if filters != self._filters:  # they were changed while it was read
            ui.timer(0, self._part.refresh, once=True)
            return
        if len(self._agents.options) == 1:
            self._agents.set_options(self._names())
        self._table.show(tasks, int(time.time() * 1000))
        self._foot.show(len(tasks), tasks.cursor, tasks.total, tasks.looked_back_to)
        if not tasks and filters.narrow:
            empty("No task fits these filters.", "Choose fewer of them.", icon="filter_alt_off")
        elif not tasks:
            empty("No task has been submitted yet.", "sqswarm submit AGENT text=hello")

    def _build_foot(
        self, count: int, cursor: str | None, total: int | None, looked_back_to: str | None
    ) -> None:
        with ui.element("div").classes("sq-row sq-soft sq-small"):
            if count:
                ui.label(f"{count:,} of {total:,}" if total is not None else f"{count:,} shown")
            if cursor and looked_back_to:
                ui.label(f"looked back to {looked_back_to}")
            if self._filters.cursor:
                newest = self._filters.changed().query()
                button("Newest", "first_page", lambda: ui.navigate.to(f"/tasks{newest}"))
            if cursor:
                older = self._filters.changed(cursor=cursor).query()
                button("Older", "chevron_right", lambda: ui.navigate.to(f"/tasks{older}"))
