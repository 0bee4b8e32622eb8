"""Agent: one agent's schema and settings."""

from __future__ import annotations

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card, code, facts
from sqswarm.infra.console.states import Part
from sqswarm.infra.console.text import as_json, visible
from sqswarm.infra.console.times import duration
from sqswarm.schemas.catalogue import CatalogueEntry


async def show(view: View, name: str) -> None:
    """Build the page of the agent `name`."""
    view.title(visible(name, limit=60))

    async def read() -> CatalogueEntry:
        swarm = await view.context.swarm()
        return swarm._connection.catalogue.agent(name)  # noqa: SLF001 - its hint names near ones

    with view.actions():
        if view.context.writes:
            button("Submit…", "send", lambda: ui.navigate.to(f"/submit?agent={name}"))
        button("Tasks", "list_alt", lambda: ui.navigate.to(f"/tasks?agent={name}"))
    await Part(read, _render).show()


def _render(entry: CatalogueEntry) -> None:
    with card("Settings"):
        ui.label(visible(entry.description)).classes("sq-soft").style("white-space: pre-line")
        topics = ", ".join(
            f"{s.topic} ({', '.join(s.types)})" if s.types else s.topic for s in entry.subscriptions
        )
        facts(
            [
                ("Durability", entry.durability.value + (", ordered" if entry.ordered else "")),
                ("Attempts at most", entry.max_attempts),
                ("Time-out", duration(entry.timeout_s)),
                ("Topics", topics or "none"),
                ("Schedules", ", ".join(s.expression for s in entry.schedules) or "none"),
                ("Calls", ", ".join(entry.calls or ()) or "no other agent"),
            ]
        )
    with card("Arguments"):
        code(as_json(entry.input_schema), label="JSON schema of the arguments")
    if entry.output_schema is not None:
        with card("Result"):
            code(as_json(entry.output_schema), label="JSON schema of the result")
