"""Log lines: what an agent's function wrote for one task, read when somebody asks for it.

CloudWatch Logs bills by what it looks through, so they are not read by themselves.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from nicegui import ui

from sqswarm.infra.cli.log_events import LogLine, events, group_prefix, log_line
from sqswarm.infra.console.acts import attempt
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, code
from sqswarm.infra.console.text import one_line
from sqswarm.schemas.ids import created_ms

_LIMIT = 500
_LINE = 2000
_OWN = frozenset({"timestamp", "level", "event", "task_id", "agent"})


def log_lines(view: View, agent: str, task_id: str) -> None:
    """Build the button that reads them, and the place where they then stand."""
    place = ui.element("div").classes("sq-form")

    async def read() -> None:
        connection: Any = (await view.context.swarm())._connection  # noqa: SLF001
        stack = connection.names.stack
        found = await asyncio.to_thread(_read, view.context.client("logs"), stack, agent, task_id)
        with place:
            place.clear()
            if not found:
                ui.label("It has written no line that names this task.").classes("sq-soft")
                return
            code("\n".join(_shown(line) for line in found), label="Log lines")
            if len(found) == _LIMIT:
                ui.label(f"The first {_LIMIT}.").classes("sq-soft sq-small")

    button("Read them", "subject", lambda: attempt(read, place)).style("align-self: flex-start")


def _read(client: Any, stack: str, agent: str, task_id: str) -> list[LogLine]:
    found = events(
        client,
        f"{group_prefix(stack)}{agent}",
        created_ms(task_id) - 1000,
        end_ms=int(time.time() * 1000),
        containing=task_id,
    )
    return sorted((log_line(one) for one in islice(found, _LIMIT)), key=lambda line: line.at_ms)


def _shown(line: LogLine) -> str:
    moment = datetime.fromtimestamp(line.at_ms / 1000, UTC)
    said = str(line.fields.get("event", "")) or line.text
    more = " ".join(f"{n}={v}" for n, v in line.fields.items() if n not in _OWN)
    level = line.fields.get("level", "")
    parts = (f"{moment:%H:%M:%S}.{line.at_ms % 1000:03d}", level, said, more)
    return one_line(" ".join(str(part) for part in parts if part), limit=_LINE)
