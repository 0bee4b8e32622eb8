"""Rates: how agents do, from `stats`, as a table that the overview and the agents share."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import table
from sqswarm.infra.console.times import dollars, duration
from sqswarm.schemas.stats import AgentStats, Quantiles, Stats

_HOUR_S = 3600
COLUMNS = ["Agent", "Completed", "Failed", "Wait p50 / p95", "Run p50 / p95", "Waiting",
           "In flight", "Oldest", "Dead letters", "Spent"]  # fmt: skip


async def stats_of(view: View, agent: str | None = None) -> Stats:
    """Return the numbers of the last hour, of one agent or all."""
    return await (await view.context.swarm()).stats(since_s=_HOUR_S, agent=agent)


def rates(agents: Iterable[AgentStats]) -> None:
    """Build the table of some agents' numbers."""
    table(
        COLUMNS,
        [_row(one) for one in agents],
        label="Agents' rates",
        numbers=", ".join(COLUMNS[1:]),
    )


def _row(one: AgentStats) -> list[object]:
    backlog = one.backlog
    return [
        partial(_agent, one),
        partial(_count, one.completed, f"/tasks?agent={one.agent}&status=completed"),
        partial(_count, one.failed, f"/tasks?agent={one.agent}&status=failed"),
        both(one.wait),
        both(one.run),
        f"{backlog.waiting:,}" + (f" + {backlog.delayed:,} later" if backlog.delayed else ""),
        f"{backlog.in_flight:,}",
        age(backlog.oldest_s),
        f"{backlog.dead_letters:,}",
        dollars(one.spent.micro_usd),
    ]


def _agent(one: AgentStats) -> None:
    ui.link(one.agent, f"/agents/{one.agent}")
    if one.paused:
        ui.label("paused").classes("sq-soft")


def _count(number: int, target: str) -> None:
    if number:
        ui.link(f"{number:,}", target)
    else:
        ui.label("0")


def both(times: Quantiles | None) -> str:
    """Return two quantiles as text."""
    if times is None:
        return "-"
    return f"{duration(times.p50_ms / 1000)} / {duration(times.p95_ms / 1000)}"


def age(seconds: int | None) -> str:
    """Return how old the oldest message is."""
    return "-" if seconds is None else duration(seconds)
