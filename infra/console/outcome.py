"""Outcome: what a task was given, and how it ended."""

from __future__ import annotations

from nicegui import ui

from sqswarm.dispatcher.view import TaskView
from sqswarm.infra.console.parts import card, code, value_of
from sqswarm.infra.console.text import as_json, visible
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.results import unwrap


def outcome(task: TaskView, arguments: JsonObject | None) -> None:
    """Build the cards of a task's error, arguments and result; why it failed comes first."""
    record = task.record
    with ui.element("div").classes("sq-grid sq-halves"):
        if record.error is not None:  # why comes first
            _build_error(record.error)
        with card("Arguments"):
            if arguments is None:
                ui.label("None are recorded.").classes("sq-soft")
            else:
                code(as_json(arguments), label="Arguments")
        if record.state is not None:
            with card("State"):
                code(as_json(record.exposed), label="State")
        if task.value is not None:
            with card("Result"):
                value_of(unwrap(task.value, wrapped=record.wrapped), label="Result")
        elif record.status_message and not record.status.terminal:
            with card("Progress"):
                ui.label(visible(record.status_message))
                if record.progress is not None:
                    ui.linear_progress(record.progress, show_value=False).props(
                        'aria-label="Progress"'
                    )


def _build_error(error: JsonObject) -> None:
    with card("Error"):
        data = error.get("data")
        kind = data.get("type") if isinstance(data, dict) else None
        ui.label(visible(str(kind or "error"))).classes("sq-chip sq-chip-failed").style(
            "align-self: flex-start; white-space: normal"
        )
        ui.label(visible(str(error.get("message", "")))).style(
            "white-space: pre-wrap; overflow-wrap: anywhere"
        )
        rest = {n: v for n, v in data.items() if n != "type"} if isinstance(data, dict) else data
        if rest:
            code(as_json(rest), label="What the error holds")
