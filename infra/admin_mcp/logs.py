"""Logs: what an agent printed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.text import cut_text
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.errors import UnknownAgent
from sqswarm.schemas.metrics import tells_metrics

_READ_LIMIT = 5000
_LINE_LIMIT = 2000


class Line(Shape):
    """One line."""

    at: str
    message: str


class Lines(Shape):
    """Lines, the oldest first."""

    agent: str
    lines: list[Line]
    more: bool = Field(
        description="True where earlier lines were left out; ask for a shorter time."
    )


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def read_logs(
        agent: Annotated[
            str, Field(description="An agent, or `housekeeping` (the swarm's own function).")
        ],
        minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60, description="How far back.")] = 15,
        contains: Annotated[
            str | None, Field(description="Only lines with this text, such as a task id.")
        ] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="The newest lines at most.")] = 100,
    ) -> Lines:
        """Read the newest log lines of one agent's function.

        Use it once you know which agent fails; give a task id in `contains` for one task's lines.
        Lines are what the agent's code printed and may hold data of its users: repeat only what
        is needed. Changes nothing; CloudWatch Logs bills by data scanned, so keep `minutes` small.
        """
        group = f"/aws/lambda/{context.names().stack}-{agent}"
        client = context.client("logs")
        start_ms = int(1000 * (time.time() - 60 * minutes))
        events = list(islice(_events(client, group, start_ms), _READ_LIMIT + 1))
        wanted = [e for e in events if contains is None or contains in e["message"]]
        wanted.sort(key=lambda event: int(event["timestamp"]))
        newest = deque(wanted, maxlen=limit)
        return Lines(
            agent=agent,
            lines=[
                Line(
                    at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(),
                    message=cut_text(event["message"].rstrip("\n"), _LINE_LIMIT)[0],
                )
                for event in newest
            ],
            more=len(wanted) > limit or len(events) > _READ_LIMIT,
        )

    yield OperationTool(name="read-logs", title="Read an agent's log", function=read_logs)


def _events(client: Any, group: str, start_ms: int) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=start_ms
    )
    try:
        for page in pages:
            for event in page["events"]:
                if not tells_metrics(event["message"]):
                    yield event
    except client.exceptions.ResourceNotFoundException as error:
        name = group.rpartition("-")[2]
        message = f"there is no log of {name!r}: no such agent is deployed, or it never ran"
        raise UnknownAgent(message, hint="Take the name from list-agents.") from error
