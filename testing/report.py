"""Report: the state of tasks, for whoever reads why a test failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqswarm.dispatcher.client import Swarm
from sqswarm.infra.cli.timeline_tree import timeline_lines
from sqswarm.schemas.journal import PATCH, entries
from sqswarm.schemas.signal import name_of
from sqswarm.schemas.task import TaskRecord, iso


def tasks_text(records: Iterable[TaskRecord]) -> Iterator[str]:
    """Yield some lines for each task: how it stands, what it waits for or ended with."""
    for record in records:
        yield (
            f"{record.task_id}  {record.agent}  {record.status.value}"
            f"  attempt {record.attempt}  {record.phase.value}"
        )
        if record.arguments is not None:
            yield f"  arguments {_cut(record.arguments.inline or record.arguments.ref or '')}"
        for entry in entries(record.waits):
            if entry["kind"] == PATCH:
                continue
            yield f"  has waited for {entry['kind']} {name_of(entry.get('name', ''))}".rstrip()
        yield from _open(record)
        if record.state is not None:
            yield f"  exposes {_cut(record.state)}"
        if record.wake_at_ms is not None:
            yield f"  sleeps until {iso(record.wake_at_ms)}"
        if record.error is not None:
            kind = record.error.get("data", {}).get("type", "")
            yield f"  error {kind}: {record.error.get('message')}"
        if record.result is not None:
            yield f"  result {_cut(record.result.inline or record.result.ref or '')}"


def _open(record: TaskRecord) -> Iterator[str]:
    for key, asked in record.asks.items():
        yield f"  asks {key!r}: {_cut(asked['message'])}"
    for topic in record.received_topics:
        yield f"  waits for a signal of {topic!r}"


def timelines_text(swarm: Swarm, records: Iterable[TaskRecord]) -> Iterator[str]:
    """Yield the timelines of tasks that nobody of the others has started."""
    for record in records:
        if record.parent is None:
            yield ""
            yield from timeline_lines(swarm.timeline(record.task_id))


def _cut(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
