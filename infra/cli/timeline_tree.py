"""A timeline as a tree of lines: when, how long, what, and how it ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.text import Text

from sqswarm.backends.redact import hide
from sqswarm.infra.cli.log_events import LogLine
from sqswarm.infra.cli.output import duration, visible
from sqswarm.schemas.timeline import Span, SpanKind, Timeline, copied_text

_COLOURS = {
    "completed": "green",
    "answered": "green",
    "failed": "red",
    "lost": "red",
    "no record": "red",
    "retried": "yellow",
    "timed out": "yellow",
    "declined": "yellow",
    "handed-back": "yellow",
    "cancelled": "magenta",
    "suspended": "cyan",
    "parked": "yellow",
    "input_required": "cyan",
    "undone": "yellow",
}
_NAMED = {SpanKind.STEP, SpanKind.UNDO, SpanKind.CHILD, SpanKind.ASK, SpanKind.RECEIVE}
"""Kinds whose spans bear a name of somebody's choice; another's name says what it is."""

_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_WIDTH = 200
_SECOND_MS = 1000
_MINUTE_MS = 60_000
_LINE_FIELDS = {"level", "event", "timestamp", "task_id", "agent", "logger", "attempt"}
_WORDS = {"attempt": "attempts", "child": "children", "step": "steps"}


def print_timeline(timeline: Timeline, logs: Mapping[str, Sequence[LogLine]]) -> None:
    """Print a task's timeline, with log lines by task id, each under the span it belongs to."""
    console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=_WIDTH)
    for line in _lines(timeline, logs):
        console.print(line, soft_wrap=True)


def timeline_lines(timeline: Timeline) -> Iterator[str]:
    """Yield a task's timeline as plain lines, without logs."""
    for line in _lines(timeline, {}):
        yield line.plain


def _lines(timeline: Timeline, logs: Mapping[str, Sequence[LogLine]]) -> Iterator[Text]:
    head = Text(f"{_shown(timeline.agent)} {timeline.task_id}  ", style="bold")
    head.append(timeline.status.value, style=_COLOURS.get(timeline.status.value, "bold"))
    head.append(f"  {_length(timeline.duration_ms) or 'not ended'}")
    yield head
    parts = (("queue", timeline.queue_ms), ("run", timeline.run_ms), ("wait", timeline.wait_ms))
    told = ", ".join(f"{name} {_length(ms)}" for name, ms in parts if ms > 0)
    yield Text(f"since {_day(timeline.began_ms)}{'  ' if told else ''}{told}", style="dim")
    if timeline.error is not None:
        yield Text(_shown(timeline.error), style="red")
    if timeline.redriven_from is not None:
        yield Text(f"redriven from {timeline.redriven_from}{_copied(timeline)}", style="dim")
    if timeline.redriven_as is not None:
        yield Text(f"redriven as {timeline.redriven_as}", style="dim")
    for by in timeline.published_by:
        agent, _, task_id = by.partition("#")
        yield Text(f"published by {_shown(agent)} {task_id}", style="dim")
    for one in timeline.published:
        told = f"published: {_shown(one.name)} {one.task_id}  {one.outcome}"
        yield Text(told, style="dim")
    own = list(logs.get(timeline.task_id, ()))
    yield from _tree(timeline.spans, "", own, logs, left_out=timeline.left_out)


def _copied(timeline: Timeline) -> str:
    """Return at which step a redriven task began, and with what of the other's."""
    if timeline.copied is None:
        return ""
    told = copied_text(timeline.copied)
    return f", from {_shown(timeline.copied['fromStep'])!r}{f', with {told}' if told else ''}"


def _tree(
    spans: Sequence[Span],
    indent: str,
    lines: list[LogLine],
    logs: Mapping[str, Sequence[LogLine]],
    *,
    left_out: Mapping[str, int],
) -> Iterator[Text]:
    """Yield spans with what lies within them; `lines` are the log lines of their task."""
    more = [f"… {number:,} more {_WORDS.get(kind, kind)}" for kind, number in left_out.items()]
    for number, span in enumerate(spans):
        last = number == len(spans) - 1 and not more and not lines
        following = spans[number + 1].began_ms if number + 1 < len(spans) else None
        yield from _before(lines, span.began_ms, indent)
        yield _line(span, f"{indent}{'└─' if last else '├─'} ")
        inner = f"{indent}{'   ' if last else '│  '}"
        if span.task_id is not None:
            own = list(logs.get(span.task_id, ()))
        else:
            own = _taken(lines, span.ended_ms if span.ended_ms is not None else following)
        yield from _tree(span.children, inner, own, logs, left_out=span.left_out)
    yield from _before(lines, None, indent)
    for number, text in enumerate(more):
        yield Text(f"{' ' * 13}{indent}{'└─' if number == len(more) - 1 else '├─'} {text}", "dim")


def _line(span: Span, indent: str) -> Text:
    line = Text(f"{_time(span.began_ms)} ", style="dim")
    line.append(indent)
    kind = "undo of" if span.kind is SpanKind.UNDO else span.kind.value
    name = f"{kind} {span.name}" if span.kind in _NAMED else span.name
    line.append(_shown(name), style="dim" if span.kind is SpanKind.QUEUE else "bold")
    line.append(f"  {_length(span.duration_ms) or '…'}")
    if span.outcome is not None:
        line.append(f"  {span.outcome}", style=_COLOURS.get(span.outcome, ""))
    if span.by is not None:
        line.append(f"  by {_shown(span.by)}")
    where = (span.version, span.worker, span.request_id, span.task_id)
    for text in filter(None, where):
        line.append(f"  {_shown(text)}", style="dim")
    if span.error is not None:
        line.append(f"  {_shown(span.error)}", style="red")
    return line


def _before(lines: list[LogLine], until_ms: int | None, indent: str) -> Iterator[Text]:
    """Yield and take away the log lines from before a moment (None: all that are left)."""
    for one in _taken(lines, None if until_ms is None else until_ms - 1):
        line = Text(f"{_time(one.at_ms)} ", style="dim")
        line.append(f"{indent}· ")
        if one.fields:
            event = str(one.fields.get("event", ""))
            line.append(_shown(event), style=_LEVELS.get(str(one.fields.get("level")), ""))
            rest = {k: v for k, v in one.fields.items() if k not in _LINE_FIELDS}
            said = " ".join(f"{name}={value}" for name, value in rest.items())
            line.append(f"  {_shown(said)}", style="dim")
        else:
            line.append(_shown(one.text))
        yield line


def _taken(lines: list[LogLine], until_ms: int | None) -> list[LogLine]:
    """Take away the log lines up to a moment (None: all of them), and return them."""
    taken = [one for one in lines if until_ms is None or one.at_ms <= until_ms]
    lines[:] = lines[len(taken) :]
    return taken


def _shown(text: str) -> str:
    """Return anybody's text on one line, without secrets, with what a terminal would obey shown."""
    return visible(hide(text)).replace("\n", "\\n")


def _time(ms: int) -> str:
    moment = datetime.fromtimestamp(ms / 1000).astimezone()
    return f"{moment:%H:%M:%S}.{ms % 1000:03d}"


def _day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _length(ms: int | None) -> str:
    """Return a length of time; '' where it is not known."""
    if ms is None:
        return ""
    if ms < _SECOND_MS:
        return f"{max(0, ms)} ms"
    return f"{ms / _SECOND_MS:.1f} s" if ms < _MINUTE_MS else duration(ms / _SECOND_MS)
