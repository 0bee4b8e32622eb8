"""`sqswarm logs`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sqswarm.infra.cli.output import print_json_line, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UnknownAgent, UsageError

_LENGTH = re.compile(r"([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_POLL_S = 1.0
_LATE_MS = 5_000
"""Lines may become visible some seconds after their time: follow looks back so far."""


def logs(
    context: typer.Context,
    agent: Annotated[str | None, typer.Argument(help="One agent; else all of them.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    since: Annotated[str, typer.Option(help="How far back: 30s, 10m, 2h, 1d.")] = "10m",
) -> None:
    """Show what agents printed, oldest first. `housekeeping` is the swarm's own function.

    Example: sqswarm logs keywords --follow
    """
    session = session_of(context)
    length = _LENGTH.fullmatch(since)
    if length is None:
        message = f"--since {since!r} is no length of time"
        raise UsageError(message, hint="Write 30s, 10m, 2h or 1d.")
    names, clients = session.clients()
    client = clients("logs")
    prefix = f"/aws/lambda/{names.stack}-"
    groups = [f"{prefix}{agent}"] if agent else _groups(client, prefix)
    start_ms = int(1000 * (time.time() - int(length[1]) * _SECONDS[length[2]]))
    seen: set[tuple[str, ...]] = set()
    while True:
        for event in sorted(
            (e for group in groups for e in _events(client, group, start_ms)),
            key=lambda e: int(e["timestamp"]),
        ):
            # Not by its id: ministack gives none.
            line = (event["logStreamName"], str(event["timestamp"]), event["message"])
            if line in seen:
                continue
            seen.add(line)
            start_ms = max(start_ms, event["timestamp"] - _LATE_MS)
            source = event["group"].removeprefix(prefix)
            moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            text = event["message"].rstrip("\n")
            if session.json:
                print_json_line({"at": moment.isoformat(), "agent": source, "message": text})
            else:
                name = "" if agent else f"{source}  "
                print_line(f"{moment.astimezone():%H:%M:%S}  {name}{text}")
        if not follow:
            return
        time.sleep(_POLL_S)


def _groups(client: Any, prefix: str) -> list[str]:
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def _events(client: Any, group: str, start_ms: int) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=start_ms
    )
    try:
        for page in pages:
            for event in page["events"]:
                yield {**event, "group": group}
    except client.exceptions.ResourceNotFoundException as error:
        name = group.rpartition("-")[2]
        message = f"there is no log of {name!r}: no such agent is deployed"
        raise UnknownAgent(message) from error
