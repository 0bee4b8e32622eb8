"""Agent: one agent's schema and settings."""

from __future__ import annotations

from functools import partial

from nicegui import ui

from sqswarm.infra.console.acts import ask_first, attempt
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card, code, facts
from sqswarm.infra.console.rates import age, both, stats_of
from sqswarm.infra.console.states import Part
from sqswarm.infra.console.text import as_json, visible
from sqswarm.infra.console.times import dollars, duration, exact
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.stats import Stats

_EVERY_S = 5.0


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
    said = ui.element("div")
    numbers = Part(partial(stats_of, view, name), _render_numbers, stale=view.stale)
    pausing = Part(
        partial(stats_of, view, name), lambda stats: _render_pause(view, said, pausing, stats)
    )
    await Part(read, _render).show()
    await pausing.show()
    await numbers.show()
    view.keys["r"] = numbers.refresh
    view.live(numbers.refresh, every_s=_EVERY_S)


def _render_pause(view: View, said: ui.element, part: Part[Stats], stats: Stats) -> None:
    """Say whether it is paused, and let it be changed."""
    [one] = stats.agents

    async def pause() -> None:
        await view.context.act("agent.pause", lambda s: s.pause(one.agent), agent=one.agent)
        await part.refresh()

    async def resume() -> None:
        await view.context.act("agent.resume", lambda s: s.resume(one.agent), agent=one.agent)
        await part.refresh()

    async def resume_or_say() -> None:
        await attempt(resume, said)

    if one.paused is None:
        if view.context.writes:
            question = (
                f"Let {one.agent} begin no task until it is resumed? What is submitted waits."
            )
            button("Pause…", "pause", partial(ask_first, question, "Pause it", pause))
        return
    with card("Paused"), ui.element("div").props('role="status"'):
        facts([("Since", exact(one.paused.at_ms)), ("By", visible(one.paused.by))])
        if view.context.writes:
            button("Resume", "play_arrow", resume_or_say)


def _render_numbers(stats: Stats) -> None:
    [one] = stats.agents
    queue = one.backlog
    with card("Queue, and the last hour"):
        facts(
            [
                ("Waiting", f"{queue.waiting:,}"),
                ("Completed", f"{one.completed:,}"),
                ("In flight", f"{queue.in_flight:,}"),
                ("Failed", f"{one.failed:,}"),
                ("Delayed", f"{queue.delayed:,}"),
                ("Retried", f"{one.retried:,}"),
                ("Oldest message", age(queue.oldest_s)),
                ("Wait p50 / p95", both(one.wait)),
                ("Dead letters", f"{queue.dead_letters:,}"),
                ("Run p50 / p95", both(one.run)),
                ("Spent on models", dollars(one.spent.micro_usd)),
                ("Failures", ", ".join(f"{k}: {n}" for k, n in one.failures.items()) or "none"),
            ],
            two=True,
        )


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
                ("Joins", _join(entry)),
                ("Publishes to", entry.publishes or "no topic"),
                ("Schedules", ", ".join(s.expression for s in entry.schedules) or "none"),
                ("Calls", ", ".join(entry.calls or ()) or "no other agent"),
            ],
            two=True,
        )
    with card("Arguments"):
        code(as_json(entry.input_schema), label="JSON schema of the arguments")
    if entry.output_schema is not None:
        with card("Result"):
            code(as_json(entry.output_schema), label="JSON schema of the result")


def _join(entry: CatalogueEntry) -> str:
    join = entry.joins
    if join is None:
        return "no events"
    return f"{', '.join(join.topics)} by {join.key}, within {duration(join.within_s)}"
