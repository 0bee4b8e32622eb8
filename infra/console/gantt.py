"""Gantt: a task's timeline as bars on one scale, each a row that is read as text too.

Plain elements, no canvas: what they say is text to a screen reader and to who searches the page,
and nothing of a task can become more than text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nicegui import ui

from sqswarm.infra.console.text import one_line
from sqswarm.infra.console.times import duration
from sqswarm.schemas.timeline import Span, Timeline

_ROWS_LIMIT = 300
_LEAST = 0.4
"""Per cent of the width that the shortest bar has: what took no time is seen all the same."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One span as a row: `left` and `width` are per cent of the whole."""

    depth: int
    kind: str
    name: str
    left: float
    width: float
    after_s: float
    took_s: float
    open: bool
    outcome: str
    detail: str
    task_id: str | None


def bars(timeline: Timeline, now_ms: int) -> list[Bar]:
    """Return the rows of a timeline, parents before what lies in them, at most 300."""
    began = timeline.began_ms
    spans = list(_flat(timeline.spans, 0))[:_ROWS_LIMIT]
    end = max([timeline.ended_ms or now_ms, *(one.ended_ms or now_ms for _, one in spans)])
    whole = max(1, end - began)
    rows = []
    for depth, one in spans:
        over = one.ended_ms or now_ms
        left = min(100 - _LEAST, max(0.0, 100 * (one.began_ms - began) / whole))
        width = max(_LEAST, 100 * max(0, over - one.began_ms) / whole)
        rows.append(
            Bar(
                depth=depth,
                kind=one.kind.value,
                name=one.name,
                left=round(left, 2),
                width=round(min(width, 100 - left), 2),
                after_s=max(0, one.began_ms - began) / 1000,
                took_s=max(0, over - one.began_ms) / 1000,
                open=one.ended_ms is None,
                outcome=one.outcome or "",
                detail=_detail(one, depth),
                task_id=one.task_id,
            )
        )
    return rows


def _flat(spans: Iterable[Span], depth: int) -> Iterator[tuple[int, Span]]:
    for one in spans:
        yield depth, one
        yield from _flat(one.children, depth + 1)


def _detail(span: Span, depth: int) -> str:
    where = not depth or span.error is not None  # of what went well in other tasks, not here
    said = [
        span.error,
        f"worker {span.worker}" if span.worker and where else None,
        f"request {span.request_id}" if span.request_id and where else None,
        f"by {span.by}" if span.by else None,
        *(f"{number} more {kind}" for kind, number in span.left_out.items()),
    ]
    return " · ".join(one for one in said if one)


_COLOURS = {
    "failed": "failed",
    "lost": "failed",
    "cancelled": "cancelled",
    "completed": "completed",
    "answered": "completed",
    "ok": "completed",
}


def gantt(timeline: Timeline, now_ms: int) -> None:
    """Build the chart of a timeline."""
    rows = bars(timeline, now_ms)
    if not rows:
        ui.label("Nothing has happened yet.").classes("sq-soft")
        return
    with ui.element("ol").classes("sq-gantt").props('aria-label="What happened, in order"'):
        for bar in rows:
            _row(bar)
    whole = max(one.after_s + one.took_s for one in rows)
    with ui.element("div").classes("sq-gantt-scale").props('aria-hidden="true"'):
        for part in (0, 0.25, 0.5, 0.75, 1):
            ui.label("0" if not part else duration(whole * part))
    if len(rows) == _ROWS_LIMIT:
        ui.label(f"Only the first {_ROWS_LIMIT} spans are drawn.").classes("sq-soft sq-small")


def _row(bar: Bar) -> None:
    colour = _COLOURS.get(bar.outcome, bar.kind)
    with ui.element("li").classes("sq-gantt-row"):
        with ui.element("div").classes("sq-gantt-name").style(f"padding-left: {bar.depth}rem"):
            if not bar.name.startswith(bar.kind):
                ui.label(bar.kind).classes("sq-gantt-kind")
            if bar.task_id is not None:
                ui.link(one_line(bar.name, limit=60), f"/tasks/{bar.task_id}")
            else:
                name = ui.label(one_line(bar.name, limit=60))
                if bar.name.startswith(bar.kind):
                    name.classes("sq-gantt-kind")
        with ui.element("div").classes("sq-gantt-track").props('aria-hidden="true"'):
            ui.element("div").classes(f"sq-gantt-bar sq-gantt-{colour}").style(
                f"left: {bar.left}%; width: {bar.width}%"
            )
        with ui.element("div").classes("sq-gantt-said"):
            took = f"for {duration(bar.took_s)} so far" if bar.open else duration(bar.took_s)
            ui.label(took).classes("sq-nowrap")
            ui.label(f"at +{duration(bar.after_s)}").classes("sq-soft sq-nowrap sq-wide")
            if bar.outcome:
                ui.label(one_line(bar.outcome, limit=60)).classes(f"sq-gantt-word-{colour}")
        if bar.detail:
            ui.label(one_line(bar.detail, limit=400)).classes("sq-gantt-detail")
