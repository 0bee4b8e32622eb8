"""Log line: what a function printed, as somebody who wrote the agent reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqswarm.schemas.json import loads

_NOISE = ("START RequestId: ", "END RequestId: ", "INIT_START ", "EXTENSION\t", "TELEMETRY\t")
_REPORT = re.compile(r"REPORT RequestId: .*?\tDuration: ([0-9.]+) ms")
_FRAME = re.compile(r'\s*File "([^"]+)", line')
_NOT_OURS = re.compile(r"/lib/python3[^/]*/|/sqswarm/")
_NO_TASK_MS = 10.0
"""An invocation that ran a task has asked the store at least; a start check has not."""
_BORING = frozenset({"level", "event", "agent", "timestamp", "attempt", "task_id", "traceparent"})
_OURS = ("task.suspended", "step.recorded")
"""Events of every waiting task: said as they are, but quietly."""


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line: `level` is error, warning, info or quiet."""

    at: datetime
    agent: str
    level: str
    text: str
    task_id: str | None = None


def log_line(event: Mapping[str, Any], agent: str, folders: Sequence[Path] = ()) -> LogLine | None:
    """Return what to show of CloudWatch's `event`; None for Lambda's own lines and metrics.

    Places in tracebacks are shown as files below `folders`, where an editor can open them.
    """
    text = event["message"].rstrip("\n")
    if not text or text.startswith(_NOISE):
        return None
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).astimezone()
    report = _REPORT.match(text)
    if report:
        ran_ms = float(report[1])
        if agent == "housekeeping" or ran_ms < _NO_TASK_MS:
            return None
        ran = f"ran for {ran_ms:.0f} ms"
        return LogLine(at=at, agent=agent, level="quiet", text=ran)
    fields = _fields(text)
    if fields is None:
        level = "error" if "Traceback (most" in text or text.startswith("[ERROR]") else "info"
        return LogLine(at=at, agent=agent, level=level, text=_placed(text, folders))
    if "_aws" in fields:  # a metric, in CloudWatch's embedded format
        return None
    level = str(fields.get("level", "info")).lower()
    if agent == "housekeeping" and level == "info":
        return None
    if fields.get("event") in _OURS:
        level = "quiet"
    task_id = fields.get("task_id")
    return LogLine(
        at=at,
        agent=agent,
        level={"critical": "error"}.get(level, level),
        text=_placed(_sentence(fields), folders),
        task_id=task_id if isinstance(task_id, str) else None,
    )


def _fields(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _sentence(fields: dict[str, Any]) -> str:
    """Return event and fields on a line, what has lines of its own below it."""
    short, long = [str(fields.get("event", fields.get("message", "")))], []
    for name, value in fields.items():
        if name in _BORING or value is None or (name == "message" and "event" not in fields):
            continue
        if isinstance(value, str) and "\n" in value.strip():
            long.append(value.strip("\n"))
        else:
            short.append(f"{name}={value}")
    return "\n".join([" ".join(part for part in short if part), *long])


def _placed(text: str, folders: Sequence[Path]) -> str:
    """Show tracebacks from the project's first frame on, with the places as files here."""
    kept: list[str] = []
    begins: int | None = None  # where the frames before the project's own would begin
    for line in text.split("\n"):
        frame = _FRAME.match(line)
        if frame is None:
            kept.append(line)
            if line.startswith("Traceback (most recent"):
                begins = len(kept)
            continue
        place = _here(frame[1], folders)
        if place != frame[1] and begins is not None:
            del kept[begins:]
            begins = None
        kept.append(line.replace(frame[1], place))
    return "\n".join(kept)


def _here(path: str, folders: Sequence[Path]) -> str:
    """Return the file of the project that a function's copy was made from, if it is one."""
    if _NOT_OURS.search(path):
        return path
    parts = Path(path).parts
    for start in range(1, len(parts)):  # the longest ending first
        for folder in folders:
            candidate = folder.joinpath(*parts[start:])
            if candidate.is_file():
                return str(candidate)
    return path
