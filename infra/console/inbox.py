"""Inbox: what tasks ask people, each with the form that answers it."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import mono_link
from sqswarm.infra.console.question import question
from sqswarm.infra.console.states import empty, failed, loading
from sqswarm.infra.console.times import ago
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.task import TaskRecord

_LIMIT = 50
_EVERY_S = 4.0


async def show(view: View) -> None:
    """Build the page."""
    _Inbox(view).build()


class _Inbox:
    """The open questions. One that stays open keeps its place, and what was typed into its form."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._shown: dict[tuple[str, str], ui.element] = {}
        self._first = True

    def build(self) -> None:
        self._said = ui.label("").classes("sq-soft").props('role="status"')
        self._nothing = ui.element("div").style("width: 100%")
        self._list = ui.element("div").classes("sq-form")
        with self._nothing:
            loading()
        self._view.keys["r"] = self.refresh
        ui.timer(0, self.refresh, once=True)
        self._view.live(self.refresh, every_s=_EVERY_S)

    async def refresh(self) -> None:
        """Read again; questions that were answered go, new ones come."""
        try:
            tasks = await (await self._view.context.swarm()).inbox(limit=_LIMIT)
        except Exception as error:  # whatever it is, the page says it
            if self._first:
                self._say_nothing(partial(failed, error, self.refresh))
            else:
                self._view.stale(error)
            return
        self._view.stale(None)
        self._first = False
        if self._list.is_deleted:
            return
        self._update([task.record for task in tasks])
        total = getattr(tasks, "total", None)
        more = len(tasks) == _LIMIT
        of = " of more" if more else ""
        if total is not None and total > len(tasks):
            of = f" of {total:,}"
        self._said.set_text(f"{len(tasks):,}{of} tasks wait for somebody" if tasks else "")

    def _say_nothing(self, render: Any) -> None:
        with self._nothing:
            self._nothing.clear()
            render()

    def _update(self, records: list[TaskRecord]) -> None:
        open_now: dict[tuple[str, str], tuple[TaskRecord, JsonObject]] = {
            (record.task_id, key): (record, asked)
            for record in records
            for key, asked in record.asks.items()
            if key not in record.answers
        }
        for gone in self._shown.keys() - open_now.keys():
            self._shown.pop(gone).delete()
        for place, (task_and_key, (record, asked)) in enumerate(open_now.items()):
            if task_and_key not in self._shown:
                self._shown[task_and_key] = self._question(record, task_and_key[1], asked)
                self._shown[task_and_key].move(target_index=place)
        self._nothing.clear()
        if not open_now:
            self._say_nothing(lambda: empty("Nobody is asked anything.", icon="mark_email_read"))

    def _question(self, record: TaskRecord, key: str, asked: JsonObject) -> ui.element:
        task_id = record.task_id
        with self._list, ui.element("section").classes("sq-card") as made:
            with ui.element("div").classes("sq-row sq-small"):
                ui.link(record.agent, f"/agents/{record.agent}")
                mono_link(f"{task_id[:8]}…{task_id[-6:]}", f"/tasks/{task_id}")
                now_ms = int(time.time() * 1000)
                ui.label(f"asked {ago(record.updated_ms, now_ms)}").classes("sq-soft")
            question(self._view, task_id, key, asked, answered=self.refresh)
        return made
