"""Overview: how the swarm does, live."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import card, table
from sqswarm.infra.console.rates import age, rates
from sqswarm.infra.console.states import Changing, Part, empty
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import dollars, duration
from sqswarm.schemas.stats import AgentStats, Stats

_EVERY_S = 5.0
_WINDOWS = {900: "last 15 min", 3600: "last hour", 86_400: "last day"}
_SINCE = {900: "15m", 3600: "1h", 86_400: "1d"}
_MINUTE_S = 60
_FAILURES = 10


async def show(view: View, window: int = 3600) -> None:
    """Build the page: numbers of the last `window` seconds."""
    await _Overview(view, window if window in _WINDOWS else 3600).build()


class _Overview:
    def __init__(self, view: View, window: int) -> None:
        self._view = view
        self._window = window

    async def build(self) -> None:
        with self._view.actions():
            ui.select(_WINDOWS, value=self._window, label="Of", on_change=self._choose).props(
                "outlined dense options-dense"
            ).classes("sq-filter")
        self._part = Part(self._read, self._render, stale=self._view.stale)
        self._figures = Changing(self._build_figures)
        self._chart = Changing(_build_chart)
        self._failures = Changing(self._build_failures)
        self._agents = Changing(_build_agents)
        self._view.keys["r"] = self._part.refresh
        await self._part.show()
        self._view.live(self._part.refresh, every_s=_EVERY_S)

    async def _choose(self, event: Any) -> None:
        self._window = int(event.value)
        ui.navigate.history.replace("/" if self._window == 3600 else f"/?window={self._window}")  # noqa: PLR2004
        await self._part.refresh()

    async def _read(self) -> tuple[Stats, Stats]:
        swarm = await self._view.context.swarm()
        whole = await swarm.stats(since_s=self._window)
        return whole, await swarm.stats(since_s=_MINUTE_S)

    def _render(self, found: tuple[Stats, Stats]) -> None:
        whole, minute = found
        if not whole.agents:
            empty("No agent is deployed on this stage.", "sqswarm deploy", icon="smart_toy")
            return
        samples = self._view.context.samples
        samples.append((minute.at_ms, minute.total.completed, minute.total.failed))
        self._figures.show(whole.total, minute.total.completed + minute.total.failed)
        self._chart.show(tuple(samples))
        self._failures.show(dict(whole.total.failures))
        self._agents.show(whole.agents)

    def _build_figures(self, total: AgentStats, minute: int) -> None:
        backlog = total.backlog
        ended = total.completed + total.failed
        since = _SINCE[self._window]
        with ui.element("div").classes("sq-grid sq-figures"):
            _figure("Ended in the last minute", f"{minute:,}", f"{ended:,} {self._of()}")
            later = f", {backlog.delayed:,} later" if backlog.delayed else ""
            _figure("Waiting", f"{backlog.waiting:,}", f"{backlog.in_flight:,} in flight{later}")
            _figure("Oldest message", age(backlog.oldest_s), "of all queues")
            share = f"{100 * total.failed / ended:.1f} %" if ended else "none"
            _figure(
                "Failed", f"{total.failed:,}", f"{share} {self._of()}",
                target=f"/tasks?status=failed&since={since}", bad=total.failed > 0,
            )  # fmt: skip
            _figure(
                "Dead letters",
                f"{backlog.dead_letters:,}",
                "given up",
                bad=backlog.dead_letters > 0,
            )
            spent = total.spent
            _figure("Spent on models", dollars(spent.micro_usd), f"{spent.calls:,} calls")

    def _of(self) -> str:
        return f"in the {_WINDOWS[self._window]}"

    def _build_failures(self, failures: dict[str, int]) -> None:
        if not failures:
            return
        since = _SINCE[self._window]
        with card("Why tasks failed"):
            rows = sorted(failures.items(), key=lambda one: -one[1])[:_FAILURES]
            table(
                ["Error type", "Tasks"],
                [(partial(_failure_link, kind, since), f"{count:,}") for kind, count in rows],
                label="Failures by type",
                numbers="Tasks",
            )


def _failure_link(kind: str, since: str) -> None:
    query = urlencode({"status": "failed", "error_type": kind, "since": since})
    ui.link(one_line(kind, limit=80), f"/tasks?{query}")


def _figure(name: str, value: str, more: str, *, target: str = "", bad: bool = False) -> None:
    with ui.element("section").classes("sq-card sq-tight"):
        ui.label(name).classes("sq-soft sq-small")
        shown: Callable[[], Any] = (
            partial(ui.link, value, target) if target else partial(ui.label, value)
        )
        figure = shown().classes("sq-figure")
        if bad:
            figure.classes("sq-bad")
        ui.label(more).classes("sq-soft sq-small")


def _build_chart(samples: tuple[tuple[int, int, int], ...]) -> None:
    """Draw what ended a minute, as it was seen since somebody has looked."""
    most = max(1, *(done + failed for _, done, failed in samples))
    newest = samples[-1]
    with card("Ended a minute"):
        said = f"{newest[1]} completed and {newest[2]} failed in the last minute; at most {most}"
        with ui.element("div").classes("sq-chart").props(f'role=img aria-label="{said}"'):
            for _, done, failed in samples:
                with ui.element("div").classes("sq-chart-bar"):
                    ui.element("div").style(f"height: {100 * failed / most:.1f}%").classes(
                        "sq-gantt-failed"
                    )
                    ui.element("div").style(f"height: {100 * done / most:.1f}%").classes(
                        "sq-gantt-completed"
                    )
        with ui.element("div").classes("sq-row sq-soft sq-small"):
            span = duration((newest[0] - samples[0][0]) / 1000)
            ui.label(f"watched for {span}; the highest is {most:,}")


def _build_agents(agents: tuple[AgentStats, ...]) -> None:
    with card("Agents"):
        rates(agents)
