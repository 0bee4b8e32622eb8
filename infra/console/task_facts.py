"""Facts of a task: what stands at the head of its page."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from nicegui import ui

from sqswarm.dispatcher.lifecycle.recorded_outcomes import step_names
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import mono_link
from sqswarm.infra.console.text import visible
from sqswarm.infra.console.times import ago, dollars, duration, exact
from sqswarm.schemas.ids import is_traceparent
from sqswarm.schemas.json import loads
from sqswarm.schemas.ledger import LedgerEntry, day_of, entries_of
from sqswarm.schemas.pricing import MICRO
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import copied_text

TRACE_URL = "SQSWARM_TRACE_URL"
"""Where traces are shown: an address with `{trace_id}` in it, as http://127.0.0.1:16686/trace/…"""

_DAY_MS = 86_400_000
_DAYS = 7
_CALLS_READ = 1000


def facts_of(record: TaskRecord, now_ms: int) -> list[tuple[str, object]]:
    """Return what a record says, by name; what it does not say is left out."""
    ended = record.status.terminal
    took = duration((record.updated_ms - record.created_ms) / 1000)
    parent = (record.parent or "").partition("#")[0]
    found: list[tuple[str, object]] = [
        ("Agent", partial(ui.link, record.agent, f"/agents/{record.agent}")),
        ("Id", lambda: ui.label(record.task_id).classes("sq-mono")),
        ("Created", f"{exact(record.created_ms)}, {ago(record.created_ms, now_ms)}"),
        ("Ended" if ended else "Last changed", f"{exact(record.updated_ms)}, after {took}"),
        ("Attempt", record.attempt),
        ("Durability", record.durability.value),
        ("By", record.principal),
    ]
    links = {"Parent": parent, "Run again from": record.redriven_from}
    links["Run again as"] = record.redriven_as
    links["Published by"] = (record.published_by or "").partition("#")[2]
    for name, task_id in links.items():
        if task_id:
            found.append((name, partial(mono_link, task_id, f"/tasks/{task_id}")))
    if record.copied is not None:
        copied = loads(record.copied)
        told = f"from {copied['fromStep']}, with {copied_text(copied) or 'nothing'} of it"
        found.append(("Begun", visible(told)))
    if record.failed_steps is not None:
        names = (step_names(full)[0] for full in loads(record.failed_steps))
        found.append(("Failed at", visible(", ".join(names))))
    if record.paused_now is not None:
        told = f"since {record.paused_now['at']}, by {record.paused_now['by']}"
        found.append(("Paused", visible(told)))
    if record.wake_at_ms is not None and not ended:
        found.append(("Sleeps until", exact(record.wake_at_ms)))
    if record.pending:
        found.append(("Waits for", f"{len(record.pending)} tasks"))
    if record.received_topics:
        found.append(("Receives", ", ".join(map(visible, record.received_topics))))
    texts = {
        "Topic": record.topic,
        "Session": record.session_id,
        "Ordering key": record.ordering_key,
        "Deadline": record.deadline,
    }
    found += [(name, text) for name, text in texts.items() if text]
    if record.tags:
        found.append(("Tags", ", ".join(f"{name}={value}" for name, value in record.tags.items())))
    return found


def trace_link(traceparent: str | None, settings: Settings) -> None:
    """Show a task's trace: a link where somebody said where traces are shown, or on AWS."""
    if not is_traceparent(traceparent):
        ui.label("none").classes("sq-soft")
        return
    trace_id = str(traceparent).split("-")[1]
    url = _trace_url(trace_id, settings)
    if url is None:
        ui.label(trace_id).classes("sq-mono")
    else:
        ui.link(trace_id, url, new_tab=True).classes("sq-mono").props('rel="noopener noreferrer"')


def _trace_url(trace_id: str, settings: Settings) -> str | None:
    pattern = os.environ.get(TRACE_URL, "")
    if pattern.startswith(("http://", "https://")) and "{trace_id}" in pattern:
        return pattern.replace("{trace_id}", trace_id)
    if settings.local or not settings.region:
        return None
    console = f"https://{settings.region}.console.aws.amazon.com/cloudwatch/home"
    return f"{console}?region={settings.region}#xray:traces/1-{trace_id[:8]}-{trace_id[8:]}"


def cost_of(view: View, record: TaskRecord) -> None:
    """Show what a task's calls of models cost, once that is read."""
    label = ui.label("…").classes("sq-soft")

    async def read() -> None:
        label.set_text(await _cost(view, record))

    ui.timer(0, read, once=True)


async def _cost(view: View, record: TaskRecord) -> str:
    connection: Any = (await view.context.swarm())._connection  # noqa: SLF001
    days = {day_of(ms) for ms in range(record.created_ms, record.updated_ms, _DAY_MS)}
    days = {*sorted(days)[:_DAYS], day_of(record.updated_ms)}
    groups = await connection.runner.gather(
        [
            connection.store.read_group(
                entries_of(record.agent, day), after_sk=f"{record.task_id}#", limit=_CALLS_READ
            )
            for day in sorted(days)
        ]
    )
    entries = [LedgerEntry.from_item(item) for group in groups for item in group]
    own = [one for one in entries if one.task_id == record.task_id]
    copied = loads(record.copied or "{}").get("usd")
    before = "" if copied is None else f"; what was copied had cost {dollars(copied * MICRO)}"
    if not own:
        return f"no model was called{before}"
    tokens = sum(one.tokens.input + one.tokens.output for one in own)
    models = ", ".join(sorted({one.model for one in own}))
    total = dollars(sum(one.micro_usd for one in own))
    return visible(f"{total} in {len(own)} calls of {models}, {tokens:,} tokens{before}")
