"""Failures: failed tasks by agent and error, run again as a group; and cancelling of many."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.dispatcher.async_client import Filters
from sqswarm.dispatcher.bulk import Act
from sqswarm.dispatcher.failure_groups import FailureGroup, FailureGroups
from sqswarm.infra.console.bulk_act import BulkAct, Counted, bulk_button
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import card, mono_link, table
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.task_table import says
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import ago
from sqswarm.schemas.lifecycle import Status

if TYPE_CHECKING:
    from sqswarm import AsyncSwarm

_SINCE = {"": "whenever", "1": "the last hour", "24": "the last day", "168": "the last week"}
_CANCELLED = {
    "": "working or waiting for input",
    Status.WORKING.value: "working",
    Status.INPUT_REQUIRED.value: "waiting for input",
}


async def show(view: View, agent: str = "", since: str = "") -> None:
    """Build the page; its filters are in the URL."""
    await _Failures(view, agent, since if since in _SINCE else "").build()


class _Failures:
    def __init__(self, view: View, agent: str, since: str) -> None:
        self._view = view
        self._agent = agent
        self._since = since
        self._status = ""

    def _wanted(self) -> Filters:
        since = f"{self._since}h" if self._since else None
        return {"agent": self._agent or None, "since": since}

    async def build(self) -> None:
        await self._filters()
        self._part = Part(self._read, self._render)
        self._view.keys["r"] = self._part.refresh
        await self._part.show()
        if self._view.context.writes:
            self._cancelling()

    async def _filters(self) -> None:
        try:
            agents = [entry.name for entry in (await self._view.context.swarm()).agents()]
        except Exception:  # the part below says what is wrong
            agents = []
        if self._agent and self._agent not in agents:
            agents.append(self._agent)
        with ui.element("div").classes("sq-row").props('role="search" aria-label="Filters"'):
            every = {"": "any agent", **{name: name for name in agents}}
            self._select("agent", "Agent", every, self._agent)
            self._select("since", "Since", _SINCE, self._since)

    def _select(self, name: str, label: str, options: dict[str, str], value: str) -> None:
        async def chosen(event: Any) -> None:
            setattr(self, f"_{name}", event.value or "")
            given = {"agent": self._agent, "since": self._since}
            query = urlencode({key: value for key, value in given.items() if value})
            ui.navigate.history.replace(f"/failures{query and f'?{query}'}")
            await self._part.refresh()

        ui.select(options, value=value, label=label, on_change=chosen).props(
            "outlined dense options-dense"
        ).style("min-width: 11rem")

    async def _read(self) -> FailureGroups:
        return await (await self._view.context.swarm()).failure_groups(**self._wanted())

    def _render(self, groups: FailureGroups) -> None:
        if not groups:
            empty("No task has failed.", "By these filters, at least.", icon="done")
            return
        now_ms = int(time.time() * 1000)
        with card():
            count = sum(group.count for group in groups)
            more = " of them; there are more" if groups.more else ""
            ui.label(f"{count:,} failed tasks{more}").classes("sq-soft")
            table(
                ["Agent", "Error", "Failed", "To run again", "Newest", "For example", "Act"],
                [
                    (
                        partial(ui.link, group.agent, f"/agents/{group.agent}"),
                        partial(_error_link, group),
                        f"{group.count:,}",
                        f"{group.count - group.redriven:,}",
                        ago(group.newest_ms, now_ms),
                        partial(_example, group),
                        partial(self._retry, group),
                    )
                    for group in groups
                ],
                label="Failed tasks by agent and error",
                numbers="Failed, To run again",
            ).classes("sq-stack")

    def _retry(self, group: FailureGroup) -> None:
        if group.redriven == group.count:
            return
        wanted = self._wanted() | {"agent": group.agent, "error_type": group.error_type}
        error = one_line(group.error_type, limit=80)
        label = f"Run again: {group.agent}, {error}"
        bulk_button(self._view, self._act(Act.REDRIVE, wanted), "Run again", "replay", label=label)

    def _cancelling(self) -> None:
        with card("Cancel what has not ended"):
            ui.label(
                "All tasks of the agent and time above that have a record. Their child tasks are "
                "cancelled too."
            ).classes("sq-soft")
            with ui.element("div").classes("sq-row"):
                ui.select(
                    _CANCELLED, value="", label="Tasks that are", on_change=self._choose
                ).props("outlined dense options-dense").style("min-width: 15rem")
                self._cancel_place = ui.element("div")
            self._offer()

    def _choose(self, event: Any) -> None:
        self._status = event.value or ""
        self._offer()

    def _offer(self) -> None:
        with self._cancel_place:
            self._cancel_place.clear()
            bulk_button(self._view, self._cancel_act(), "Cancel…", "cancel")

    def _cancel_act(self) -> BulkAct:
        def now() -> Filters:  # they may have been changed since the button was built
            return self._wanted() | {"status": self._status or None}

        return self._act(Act.CANCEL, now)

    def _act(self, act: Act, wanted: Filters | Callable[[], Filters]) -> BulkAct:
        def of() -> Filters:
            return wanted() if callable(wanted) else wanted

        async def count(swarm: AsyncSwarm) -> Counted:
            matched = await swarm.count_matching(act, **of())
            counts = matched.by_error_type or matched.by_agent
            told = ", ".join(f"{n:,} {one_line(name, limit=60)}" for name, n in counts.items())
            return Counted(
                number=matched.count,
                words=f"tasks ({told})" if told else "tasks",
                more=matched.more,
            )

        def acts(swarm: AsyncSwarm, rate_per_s: float | None) -> AsyncGenerator[Any]:
            if act is Act.CANCEL:
                return swarm.cancel_matching(rate_per_s=rate_per_s, **of())
            return swarm.redrive_matching(rate_per_s=rate_per_s, **of())

        cancels = act is Act.CANCEL
        return BulkAct(
            name="tasks.cancelled" if cancels else "tasks.redriven",
            verb="Cancel" if cancels else "Run again",
            doing="Cancelling" if cancels else "Running again",
            done="cancelled" if cancels else "run again",
            count=count,
            acts=acts,
            after=self._part.refresh,
            bad=cancels,
            fields={"agent": self._agent or None, "since_h": self._since or None},
        )


def _error_link(group: FailureGroup) -> None:
    query = {"status": "failed", "agent": group.agent, "error_type": group.error_type}
    ui.link(one_line(group.error_type, limit=80), f"/tasks?{urlencode(query)}")


def _example(group: FailureGroup) -> None:
    task_id = group.example.id
    mono_link(f"{task_id[:8]}…{task_id[-6:]}", f"/tasks/{task_id}")
    ui.label(says(group.example))
