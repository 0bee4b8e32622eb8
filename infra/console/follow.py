"""Follow: a task that was just started from here, until it ends, without leaving the page."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import mono_link, status_chip, value_of
from sqswarm.infra.console.states import Changing
from sqswarm.infra.console.task_table import says
from sqswarm.infra.console.text import visible
from sqswarm.schemas.errors import SwarmError, TaskNotFound
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import unwrap

_FIRST_S = 0.3
_GROWTH = 1.3
_LONGEST_S = 5.0


class Followed:
    """A card of a task: its status, then its result or error."""

    def __init__(self, view: View, task_id: str, *, heading: str) -> None:
        """Build it here, and go on asking."""
        self._view = view
        self._task_id = task_id
        with ui.element("section").classes("sq-card").props('aria-live="polite"'):
            with ui.element("div").classes("sq-row"):
                with ui.element("h2"):
                    ui.label(heading)
                mono_link(task_id, f"/tasks/{task_id}")
                self._status = Changing(status_chip)
            self._said = Changing(_said)
        self._status.show(Status.WORKING.value)
        self._timer = ui.timer(_FIRST_S, self._ask, immediate=False)

    async def _ask(self) -> None:
        if self._view.hidden:
            return
        self._timer.interval = min(self._timer.interval * _GROWTH, _LONGEST_S)
        try:
            task = await (await self._view.context.swarm()).get(self._task_id)
        except TaskNotFound:
            return  # no worker has begun it yet
        except SwarmError:
            return  # the page's own readings say what is wrong
        self._status.show(task.status.value)
        value = None if task.value is None else unwrap(task.value, wrapped=task.record.wrapped)
        self._said.show(task.status.value, says(task), value)
        if task.status.terminal:
            self._timer.cancel()


def _said(status: str, words: str, value: Any) -> None:
    if status == Status.COMPLETED.value:
        value_of(value, label="Result")
    elif words:
        ui.label(visible(words))
