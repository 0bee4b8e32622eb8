"""A table of tasks: rows that change in place, and a row that the keyboard is at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nicegui import ui

from sqswarm.dispatcher.view import TaskView
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import ago, exact
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.task_filter import PARKED

_COLUMNS = [
    {"name": "status", "label": "Status", "field": "status", "align": "left"},
    {"name": "task", "label": "Task", "field": "id", "align": "left"},
    {"name": "agent", "label": "Agent", "field": "agent", "align": "left"},
    {"name": "created", "label": "Created", "field": "ago", "align": "left"},
    {"name": "says", "label": "Says", "field": "says", "align": "left"},
    {"name": "attempt", "label": "Attempt", "field": "attempt", "align": "right"},
    {"name": "principal", "label": "By", "field": "principal", "align": "left"},
]
_WIDE = ("attempt", "principal")

# Vue shows what stands in {{ }} as text; nothing of a task is ever part of the template.
_ROW = """
<q-tr :props="props" :class="{'sq-at': props.row.at}">
  <q-td key="status" :props="props">
    <span :class="'sq-chip sq-chip-' + props.row.status">{{ props.row.shown }}</span></q-td>
  <q-td key="task" :props="props">
    <a class="sq-mono sq-nowrap" :href="'/tasks/' + props.row.id">{{ props.row.short }}</a></q-td>
  <q-td key="agent" :props="props">{{ props.row.agent }}</q-td>
  <q-td key="created" class="sq-nowrap" :props="props" :title="props.row.created">
    {{ props.row.ago }}</q-td>
  <q-td key="says" :props="props" class="sq-says">{{ props.row.says }}</q-td>
  <q-td key="attempt" :props="props">{{ props.row.attempt }}</q-td>
  <q-td key="principal" :props="props" :title="props.row.principal">{{ props.row.by }}</q-td>
</q-tr>
"""


class TaskTable:
    """The table. `down`, `up` and `open_at` are for the keyboard."""

    def __init__(self, *, label: str) -> None:
        """Build it, empty."""
        self._at = -1
        self._table = ui.table(
            rows=[],
            columns=[
                {**one, "classes": "sq-wide", "headerClasses": "sq-wide"}
                if one["name"] in _WIDE
                else one
                for one in _COLUMNS
            ],
            row_key="id",
        )
        self._table.props(f'flat dense wrap-cells hide-bottom aria-label="{label}"')
        self._table.classes("sq-tasks")
        self._table.add_slot("body", _ROW)
        self._table.set_visibility(False)

    def show(self, tasks: Iterable[TaskView], now_ms: int) -> None:
        """Show these tasks; the keyboard stays at its task where that is still there."""
        at = self._id_at()
        rows = [_row(task, now_ms) for task in tasks]
        self._at = next((n for n, row in enumerate(rows) if row["id"] == at), -1)
        self._mark(rows)
        self._table.set_visibility(bool(rows))

    def down(self) -> None:
        """Go to the next row."""
        self._move(1)

    def up(self) -> None:
        """Go to the row before."""
        self._move(-1)

    def _move(self, by: int) -> None:
        rows = self._table.rows
        if rows:
            self._at = min(max(self._at + by, 0), len(rows) - 1)
            self._mark(rows)

    def open_at(self) -> None:
        """Open the task that the keyboard is at."""
        if found := self._id_at():
            ui.navigate.to(f"/tasks/{found}")

    def _id_at(self) -> str | None:
        rows = self._table.rows
        return str(rows[self._at]["id"]) if 0 <= self._at < len(rows) else None

    def _mark(self, rows: list[dict[str, Any]]) -> None:
        self._table.rows = [{**row, "at": n == self._at} for n, row in enumerate(rows)]


def _row(task: TaskView, now_ms: int) -> dict[str, Any]:
    record = task.record
    status = shown_status(record)
    return {
        "id": record.task_id,
        "short": f"{record.task_id[:8]}…{record.task_id[-6:]}",
        "agent": record.agent,
        "status": status,
        "shown": status.replace("_", " "),
        "ago": ago(record.created_ms, now_ms),
        "created": exact(record.created_ms),
        "says": says(task),
        "attempt": record.attempt,
        "principal": one_line(record.principal, limit=300),
        "by": one_line(short_principal(record.principal), limit=30),
    }


def shown_status(record: TaskRecord) -> str:
    """Return what a task is called that may be held back: paused, parked, or by its status."""
    if record.paused_now is not None:
        return "paused"
    return record.status.value if record.parked_now is None else PARKED


def short_principal(principal: str) -> str:
    """Return the end of a principal's ARN: what differs between two of one account."""
    return principal.rpartition("/")[2] if "/" in principal else principal.rpartition(":")[2]


def says(task: TaskView) -> str:
    """Return in one line what a task last said: its error, its question or its progress."""
    record = task.record
    if record.error is not None:
        data = record.error.get("data")
        kind = data.get("type") if isinstance(data, dict) else None
        message = one_line(str(record.error.get("message", "")))
        return f"{one_line(str(kind), limit=60)}: {message}" if kind else message
    if record.asks:
        return one_line(str(next(iter(record.asks.values())).get("message", "")))
    # What it said on its way is no news once it has ended well.
    return "" if record.status is Status.COMPLETED else one_line(record.status_message or "")
