"""Question: what a task asks, and the form that answers it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from sqswarm.infra.console.acts import ask_first, attempt
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, code
from sqswarm.infra.console.schema_form import SchemaForm
from sqswarm.infra.console.text import as_json, one_line, visible
from sqswarm.infra.console.times import exact
from sqswarm.schemas.json import JsonObject


def question(
    view: View,
    task_id: str,
    key: str,
    asked: JsonObject,
    *,
    answered: Callable[[], Awaitable[Any]],
) -> None:
    """Build the question `key` of a task; `answered` is called once its answer is recorded."""
    with ui.element("div").classes("sq-form"):
        ui.label(visible(str(asked["message"]))).style("font-weight: 600; white-space: pre-line")
        until = asked.get("timeoutAt")
        ui.label(
            f"Question {visible(key)}" + (f", open until {exact(until)}" if until else "")
        ).classes("sq-soft sq-small")
        if not view.context.writes:
            code(as_json(asked["schema"]), label="What the answer has to be")
            return
        form = SchemaForm(asked["schema"])
        place = ui.element("div").style("width: 100%")

        async def send() -> None:
            value = form.value()
            await view.context.act(
                "question.answered",
                lambda swarm: swarm.answer(task_id, key, value),
                task_id=task_id,
                key=key,
            )

        async def go() -> None:
            if await attempt(send, place, done="Answered"):
                await answered()

        async def decline() -> None:
            await view.context.act(
                "question.declined",
                lambda swarm: swarm.decline(task_id, key),
                task_id=task_id,
                key=key,
            )
            await answered()

        words = f"Decline to answer {one_line(key, limit=60)}? The agent is told so."
        with ui.element("div").classes("sq-row"):
            button("Answer", "check", go, kind="main")
            button("Decline", "block", lambda: ask_first(words, "Decline", decline))
