"""Tasks: the newest, by filters that combine and that the URL holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
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
        self._table: TaskTable | None = None

    async def build(self) -> None:
        self._place = ui.element("div").classes("sq-row")
        await self._build_filters()
        with ui.element("section").classes("sq-card").props('aria-label="Tasks"'):
            self._part = Part(self._read, self._render, stale=self._view.stale)
        self._view.keys |= {
            "j": partial(self._key, TaskTable.down),
            "k": partial(self._key, TaskTable.up),
            "Enter": partial(self._key, TaskTable.open_at),
            "r": self._part.refresh,
        }
        await self._part.show()
        self._view.live(self._part.refresh, every_s=_EVERY_S)

    def _key(self, act: Callable[[TaskTable], None]) -> None:
        if self._table is not None:
            act(self._table)

    async def _build_filters(self) -> None:
        try:
            agents = [entry.name for entry in (await self._view.context.swarm()).agents()]
        except Exception:  # the list below says what is wrong
            agents = []
        if self._filters.agent and self._filters.agent not in agents:
            agents.append(self._filters.agent)
        shown = {status: status.replace("_", " ") for status in STATUSES}
        with self._place.props('role="search" aria-label="Filters"'):
            self._select("status", "Status", {"": "any status", **shown})
            self._select("agent", "Agent", {"": "any agent", **{name: name for name in agents}})

    def _select(self, name: str, label: str, options: dict[str, str]) -> None:
        async def chosen(event: Any) -> None:
            await self._change(**{name: event.value})

        ui.select(options, value=getattr(self._filters, name), label=label, on_change=chosen).props(
            "outlined dense options-dense"
        ).style("min-width: 11rem")

    async def _change(self, **changed: str | None) -> None:
        self._filters = self._filters.with_(**changed)
        ui.navigate.history.replace(f"/tasks{self._filters.query()}")
        await self._part.refresh()

    async def _read(self) -> Any:
        swarm = await self._view.context.swarm()
        return await swarm.list(**self._filters.arguments(), limit=_LIMIT)

    def _render(self, tasks: Any) -> None:
        if not tasks:
            self._table = None
            if self._filters == TaskFilters():
                empty("No task has been submitted yet.", "sqswarm submit AGENT text=hello")
            else:
                empty("No task fits these filters.", "Choose fewer of them.", icon="filter_alt_off")
            return
        self._table = TaskTable(label="Tasks")
        self._table.show(tasks, int(time.time() * 1000))
