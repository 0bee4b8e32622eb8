"""Submit: a task for an agent, by a form made from the agent's schema."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sqswarm.dispatcher.submit import Request
from sqswarm.infra.console.acts import attempt
from sqswarm.infra.console.follow import Followed
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card
from sqswarm.infra.console.schema_form import SchemaForm
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import visible
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import UsageError

_MORE = {
    "type": "object",
    "properties": {
        "delay": {
            "type": "integer",
            "minimum": 0,
            "description": "seconds in which no worker sees it",
        },
        "idempotency_key": {
            "type": "string",
            "maxLength": 128,
            "description": "a repeat with the same key returns the first task",
        },
        "session_id": {"type": "string", "maxLength": 128},
        "ordering_key": {"type": "string", "maxLength": 128},
    },
}


async def show(view: View, agent: str = "") -> None:
    """Build the page, for `agent` where the address names one."""

    async def read() -> list[CatalogueEntry]:
        return (await view.context.swarm()).agents()

    def render(entries: list[CatalogueEntry]) -> None:
        if not view.context.writes:
            empty("This console only reads.", "sqswarm ui --allow-writes", icon="lock")
        elif not entries:
            empty("No agent is deployed on this stage.", "sqswarm deploy", icon="smart_toy")
        else:
            _Submit(view, entries, agent)

    await Part(read, render).show()


class _Submit:
    def __init__(self, view: View, entries: list[CatalogueEntry], agent: str) -> None:
        self._view = view
        self._entries = {entry.name: entry for entry in entries}
        chosen = agent if agent in self._entries else entries[0].name
        with card():
            ui.select(
                {name: name for name in self._entries},
                value=chosen,
                label="Agent",
                on_change=lambda event: self._choose(event.value),
            ).props("outlined dense options-dense").style("max-width: 22rem; width: 100%")
            self._place = ui.element("div").classes("sq-form")
        self._sent = ui.element("div").classes("sq-form")
        self._build(chosen)

    def _choose(self, name: str) -> None:
        ui.navigate.history.replace(f"/submit?agent={name}")
        self._build(name)

    def _build(self, name: str) -> None:
        entry = self._entries[name]
        with self._place:
            self._place.clear()
            ui.label(visible(entry.description)).classes("sq-soft").style("white-space: pre-line")
            form = SchemaForm(entry.input_schema)
            with ui.element("details"):
                with ui.element("summary"):
                    ui.label("More").style("display: inline")
                more = SchemaForm(_MORE)
            problem = ui.element("div").style("width: 100%")
            button(
                "Submit", "send", lambda: self._send(entry, form, more, problem), kind="main"
            ).style("align-self: flex-start")

    async def _send(
        self, entry: CatalogueEntry, form: SchemaForm, more: SchemaForm, problem: Any
    ) -> None:
        async def send() -> None:
            arguments, options = form.value(), more.value()
            delay = options.pop("delay", 0)
            if not isinstance(delay, int):
                raise UsageError("delay: a whole number of seconds is needed", hint="Mend it.")
            request = Request(arguments=arguments, delay_s=delay, **options)
            [task] = await self._view.context.act(
                "task.submitted",
                lambda swarm: swarm.submit_many(entry.name, [request]),
                agent=entry.name,
            )
            with self._sent:
                Followed(self._view, task.id, heading=f"Submitted to {entry.name}")

        await attempt(send, problem)
