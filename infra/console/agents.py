"""Agents: what is deployed."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import card, table
from sqswarm.infra.console.rates import rates, stats_of
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import duration
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.stats import Stats

_EVERY_S = 5.0


async def show(view: View) -> None:
    """Build the page."""

    async def read() -> list[CatalogueEntry]:
        return (await view.context.swarm()).agents()

    await Part(read, _render).show()
    numbers = Part(partial(stats_of, view), _render_rates, stale=view.stale)
    view.keys["r"] = numbers.refresh
    await numbers.show()
    view.live(numbers.refresh, every_s=_EVERY_S)


def _does(description: str) -> None:
    ui.label(one_line(description)).style("min-width: 13rem")


def _render_rates(stats: Stats) -> None:
    if stats.agents:
        with card("Last hour"):
            rates(stats.agents)


def _render(agents: list[CatalogueEntry]) -> None:
    if not agents:
        empty("No agent is deployed on this stage.", "sqswarm deploy", icon="smart_toy")
        return
    with card():
        table(
            ["Agent", "Does", "Durability", "Attempts", "Time-out"],
            [
                (
                    partial(ui.link, entry.name, f"/agents/{entry.name}"),
                    partial(_does, entry.description),
                    entry.durability.value + (", ordered" if entry.ordered else ""),
                    entry.max_attempts,
                    duration(entry.timeout_s),
                )
                for entry in agents
            ],
            label="Agents",
            numbers="Attempts, Time-out",
        )
