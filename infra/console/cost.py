"""Cost: what models cost, by day, agent, model and principal, from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.infra.cli.cost import entries_since
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import card, table
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import dollars
from sqswarm.schemas.ledger import LedgerEntry, Total, totals
from sqswarm.schemas.pricing import MICRO

_DAYS = {"1": "today", "7": "the last 7 days", "30": "the last 30 days"}
_BY = {"agent": "agent", "model": "model", "principal": "who asked"}
_SERIES = 8
"""Groups that have a colour of their own in the chart; the others are one."""
_COLOURS = (
    "#4c63d2", "#1f8a5b", "#b3592b", "#8a4fb3", "#0f7f99", "#b23b68", "#7a7a1f", "#5a6b80",
    "#8b8f98",
)  # fmt: skip
_TASKS = 20


async def show(view: View, days: str = "7", by: str = "agent") -> None:
    """Build the page; what it shows is in the URL."""
    await _Cost(view, days if days in _DAYS else "7", by if by in _BY else "agent").build()


class _Cost:
    def __init__(self, view: View, days: str, by: str) -> None:
        self._view = view
        self._days = days
        self._by = by

    async def build(self) -> None:
        with ui.element("div").classes("sq-row").props('role="search" aria-label="Filters"'):
            self._select("days", "Days", _DAYS, self._days)
            self._select("by", "By", _BY, self._by)
        self._part = Part(self._read, self._render)
        self._view.keys["r"] = self._part.refresh
        await self._part.show()

    def _select(self, name: str, label: str, options: dict[str, str], value: str) -> None:
        async def chosen(event: Any) -> None:
            setattr(self, f"_{name}", event.value)
            ui.navigate.history.replace(f"/cost?{urlencode({'days': self._days, 'by': self._by})}")
            await self._part.refresh()

        ui.select(options, value=value, label=label, on_change=chosen).props(
            "outlined dense options-dense"
        ).style("min-width: 11rem")

    async def _read(self) -> list[LedgerEntry]:
        swarm = await self._view.context.swarm()
        connection = swarm._connection  # noqa: SLF001 - it reads what the CLI reads
        return await entries_since(connection, connection.catalogue.names, days=int(self._days))

    def _render(self, entries: list[LedgerEntry]) -> None:
        if not entries:
            empty(
                "No agent called a model in this time.",
                "What Claude agents spend is counted here, call by call.",
                icon="payments",
            )
            return
        [whole] = totals(entries, ())
        with ui.element("div").classes("sq-grid"):
            for name, figure in (
                ("Spent", dollars(whole.micro_usd)),
                ("Calls of models", f"{whole.calls:,}"),
                ("Tokens in", f"{_input(whole):,}"),
                ("Of these from the cache", f"{whole.tokens.cache_read:,}"),
                ("Tokens out", f"{whole.tokens.output:,}"),
            ):
                with ui.element("section").classes("sq-card"):
                    ui.label(name).classes("sq-soft")
                    ui.label(figure).classes("sq-figure")
        with card(f"Dollars a day, by {_BY[self._by]}"):
            _chart(entries, self._by, int(self._days))
        with card(f"By {_BY[self._by]}"):
            _table(_BY[self._by].capitalize(), totals(entries, (self._by,)), whole)
        with card("The most expensive tasks"):
            _tasks(totals(entries, ("task_id", "agent")))


def _input(total: Total) -> int:
    tokens = total.tokens
    return tokens.input + tokens.cache_write + tokens.cache_read


def _chart(entries: Sequence[LedgerEntry], by: str, days: int) -> None:
    last = datetime.now(UTC).date()
    every = [(last - timedelta(days=back)).isoformat() for back in range(days - 1, -1, -1)]
    largest = sorted(totals(entries, (by,)), key=lambda one: -one.micro_usd)
    named = [one.group[0] for one in largest[:_SERIES]]
    spent = {name: dict.fromkeys(every, 0) for name in named}
    others = dict.fromkeys(every, 0)
    for one in totals(entries, (by, "day")):
        name, day = one.group
        if day in others:
            spent.get(name, others)[day] += one.micro_usd
    lines = [(one_line(name, limit=40), amounts) for name, amounts in spent.items()]
    if len(largest) > _SERIES:
        lines.append(("others", others))
    series = [
        {
            "type": "bar",
            "stack": "all",
            "name": name,
            "data": [round(amounts[day] / MICRO, 6) for day in every],
            "itemStyle": {"color": _COLOURS[number]},
            "barMaxWidth": 48,
        }
        for number, (name, amounts) in enumerate(lines)
    ]
    options = {
        "animation": False,
        # Text in the chart and in its tooltip is drawn, never HTML.
        "tooltip": {"trigger": "axis", "renderMode": "richText", "confine": True},
        "legend": {"type": "scroll", "bottom": 0},
        "grid": {"left": 8, "right": 8, "top": 16, "bottom": 40, "containLabel": True},
        "xAxis": {"type": "category", "data": [day[5:] for day in every]},
        "yAxis": {
            "type": "value",
            "axisLabel": {"formatter": "${value}"},
            "splitLine": {"lineStyle": {"color": "#8b8f9855"}},
        },
        "series": series,
    }
    chart = ui.echart(options, renderer="svg").classes("sq-chart")
    chart.props(f'role="img" aria-label="Dollars a day by {_BY[by]}; the figures are below"')


def _table(name: str, sums: Sequence[Total], whole: Total) -> None:
    rows = sorted(sums, key=lambda one: -one.micro_usd)
    table(
        [name, "Calls", "Tokens in", "Cached", "Tokens out", "Dollars"],
        [(one_line(words, limit=120), *_cells(one)) for one in rows for words in one.group]
        + ([("All", *_cells(whole))] if len(rows) > 1 else []),
        label=f"Cost by {name.lower()}",
        numbers="Calls, Tokens in, Cached, Tokens out, Dollars",
    ).classes("sq-stack")


def _cells(one: Total) -> tuple[str, ...]:
    return (
        f"{one.calls:,}",
        f"{_input(one):,}",
        f"{one.tokens.cache_read:,}",
        f"{one.tokens.output:,}",
        dollars(one.micro_usd),
    )


def _tasks(sums: Sequence[Total]) -> None:
    rows = sorted(sums, key=lambda one: -one.micro_usd)[:_TASKS]
    table(
        ["Task", "Agent", "Calls", "Dollars"],
        [
            (
                partial(_task_link, one.group[0]),
                partial(ui.link, one.group[1], f"/agents/{one.group[1]}"),
                f"{one.calls:,}",
                dollars(one.micro_usd),
            )
            for one in rows
        ],
        label="The most expensive tasks",
        numbers="Calls, Dollars",
    )


def _task_link(task_id: str) -> None:
    ui.link(f"{task_id[:8]}…{task_id[-6:]}", f"/tasks/{task_id}").classes("sq-mono")
