"""Schedules: what is submitted by the clock, when last and when next; and now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from sqswarm.dispatcher.schedule import tick_of
from sqswarm.dispatcher.submit import Request
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card, status_chip, table
from sqswarm.infra.console.schedule_times import next_tick
from sqswarm.infra.console.states import Part, empty, failed
from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import ago, exact
from sqswarm.schemas.agent_spec import Schedule
from sqswarm.schemas.json import dumps
from sqswarm.schemas.task import TaskRecord

if TYPE_CHECKING:
    from sqswarm import AsyncSwarm
    from sqswarm.dispatcher.async_task import AsyncTask

_LOOKED_AT = 200
"""Newest tasks of an agent among which a schedule's last is looked for."""
_EVERY_S = 15.0


@dataclass(frozen=True, kw_only=True)
class _Row:
    agent: str
    number: int
    schedule: Schedule
    last: TaskRecord | None
    last_at: datetime | None
    next_at: datetime | None


async def show(view: View) -> None:
    """Build the page."""

    async def read() -> list[_Row]:
        return await _rows(await view.context.swarm())

    said = ui.element("div").style("width: 100%")
    part = Part(read, lambda rows: _render(view, said, part, rows), stale=view.stale)
    view.keys["r"] = part.refresh
    await part.show()
    view.live(part.refresh, every_s=_EVERY_S)


async def _rows(swarm: AsyncSwarm) -> list[_Row]:
    now = datetime.now(UTC)
    rows = []
    for entry in swarm.agents():
        if not entry.schedules:
            continue
        tasks = [one.record for one in await swarm.list(agent=entry.name, limit=_LOOKED_AT)]
        for number, schedule in enumerate(entry.schedules):
            ticks = ((record, tick_of(record, number)) for record in tasks)
            last, at = next(((r, at) for r, at in ticks if at is not None), (None, None))
            last_at = None if at is None else datetime.fromisoformat(at)
            rows.append(
                _Row(
                    agent=entry.name,
                    number=number,
                    schedule=schedule,
                    last=last,
                    last_at=last_at,
                    next_at=next_tick(schedule.expression, last_at, now),
                )
            )
    return rows


def _render(view: View, said: ui.element, part: Part[list[_Row]], rows: list[_Row]) -> None:
    if not rows:
        empty(
            "No agent has a schedule.",
            '@agent(schedule=Schedule(expression="cron(0 8 * * ? *)"))',
            icon="schedule",
        )
        return
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    with card():
        table(
            ["Agent", "When", "Arguments", "Last", "Next", "Act"],
            [
                (
                    partial(ui.link, row.agent, f"/agents/{row.agent}"),
                    partial(_expression, row),
                    one_line(dumps(row.schedule.arguments)),
                    partial(_last, row, now_ms),
                    partial(_moment, row.next_at, now_ms, "not known yet"),
                    partial(_run_now, view, said, part.refresh, row),
                )
                for row in rows
            ],
            label="Schedules",
        ).classes("sq-stack")


def _expression(row: _Row) -> None:
    ui.label(one_line(row.schedule.expression)).classes("sq-mono")


def _last(row: _Row, now_ms: int) -> None:
    if row.last is None:
        ui.label(f"not among the last {_LOOKED_AT} tasks").classes("sq-soft")
        return
    with ui.element("div").classes("sq-row"):
        ui.link(_told(row.last_at, now_ms), f"/tasks/{row.last.task_id}")
        status_chip(row.last.status.value)


def _moment(moment: datetime | None, now_ms: int, none: str) -> None:
    ui.label(none if moment is None else _told(moment, now_ms)).classes(
        "sq-soft" if moment is None else ""
    )


def _told(moment: datetime | None, now_ms: int) -> str:
    ms = int(moment.timestamp() * 1000) if moment else 0
    return f"{ago(ms, now_ms)}, {exact(ms).removesuffix('.000 UTC')} UTC"


def _run_now(
    view: View, said: ui.element, after: Callable[[], Awaitable[object]], row: _Row
) -> None:
    if not view.context.writes:
        return

    async def submit(swarm: AsyncSwarm) -> AsyncTask:
        request = Request(arguments=row.schedule.arguments, durable=True)
        return (await swarm.submit_many(row.agent, [request]))[0]

    async def run() -> None:
        fields = {"agent": row.agent, "number": row.number}
        said.clear()
        try:
            task = await view.context.act("schedule.run", submit, **fields)
        except Exception as error:  # whatever it is, it is said
            with said:
                failed(error)
            return
        with said, ui.element("div").classes("sq-card").props('role="status"'):
            ui.label(f"{row.agent} runs now, beside its schedule:")
            ui.link(task.id, f"/tasks/{task.id}").classes("sq-mono")
        await after()

    made = button("Run now", "play_arrow", run)
    made.props["aria-label"] = f"Run now: {row.agent}, schedule {row.number}"
