"""Tasks: the newest, by filters that combine and that the URL holds."""

from __future__ import annotations

import time
from typing import Any

from nicegui import ui

from sqswarm.infra.console.filters import STATUSES, TaskFilters
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.task_table import TaskTable

_LIMIT = 50
_EVERY_S = 3.0


async def show(view: View) -> None:
    """Build the page."""
    await _TaskList(view).build()


class _TaskList:
    def __init__(self, view: View) -> None:
        self._view = view
        self._filters = TaskFilters.of(dict(ui.context.client.request.query_params))

    async def build(self) -> None:
        self._place = ui.element("div").classes("sq-row")
        self._build_filters()
        with ui.element("section").classes("sq-card").props('aria-label="Tasks"'):
            self._part = Part(self._read, self._render, stale=self._view.stale)
            self._table = TaskTable(label="Tasks")
        self._view.keys |= {
            "j": self._table.down,
            "k": self._table.up,
            "Enter": self._table.open_at,
            "r": self._part.refresh,
        }
        await self._part.show()
        self._view.live(self._part.refresh, every_s=_EVERY_S)

    def _build_filters(self) -> None:
        shown = {status: status.replace("_", " ") for status in STATUSES}
        with self._place.props('role="search" aria-label="Filters"'):
            self._select("status", "Status", {"": "any status", **shown})
            self._agents = self._select("agent", "Agent", self._names())

    def _names(self) -> dict[str, str]:
        """Return the choices of agents: those that were read last, and the one that is chosen."""
        names = sorted({entry.name for entry in self._view.context.deployed()})
        if self._filters.agent and self._filters.agent not in names:
            names.append(self._filters.agent)
        return {"": "any agent", **{name: name for name in names}}

    def _select(self, name: str, label: str, options: dict[str, str]) -> ui.select:
        async def chosen(event: Any) -> None:
            await self._change(**{name: event.value})

        made = ui.select(options, value=getattr(self._filters, name), label=label, on_change=chosen)
        return made.props("outlined dense options-dense").style("min-width: 11rem")

    async def _change(self, **changed: str | None) -> None:
        self._filters = self._filters.with_(**changed)
        ui.navigate.history.replace(f"/tasks{self._filters.query()}")
        await self._part.refresh()

    async def _read(self) -> Any:
        swarm = await self._view.context.swarm()
        return await swarm.list(**self._filters.arguments(), limit=_LIMIT)

    def _render(self, tasks: Any) -> None:
        """Fill the table; the part's own place is for what is said where it is empty."""
        if len(self._agents.options) == 1:
            self._agents.set_options(self._names())
        self._table.show(tasks, int(time.time() * 1000))
        if tasks:
            return
        if self._filters == TaskFilters():
            empty("No task has been submitted yet.", "sqswarm submit AGENT text=hello")
        else:
            empty("No task fits these filters.", "Choose fewer of them.", icon="filter_alt_off")
