"""`sqswarm logs`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.log_events import events, group_prefix, groups
from sqswarm.infra.cli.output import print_json_line, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.task_filter import moment_ms_of

_POLL_S = 1.0
_LATE_MS = 5_000
"""Lines may become visible some seconds after their time: follow looks back so far."""


def logs(
    context: typer.Context,
    agent: Annotated[
        str | None,
        typer.Argument(help="One agent; else all of them.", autocompletion=completion.agents),
    ] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option(help="From when on: 10m (default), 2h, 1d ago, or a time (ISO 8601)."),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="ID", help="Only lines of this task, from its creation.")
    ] = None,
) -> None:
    """Show what agents printed, oldest first. `housekeeping` is the swarm's own function.

    Example: sqswarm logs keywords --follow
    """
    session = session_of(context)
    start_ms = moment_ms_of(since or "10m", now_ms=time.time_ns() // 1_000_000)
    if task is not None:
        with session.swarm() as swarm:
            record = swarm.get(task).record
        agent = agent or record.agent
        if since is None:
            start_ms = record.created_ms - _LATE_MS
    names, clients = session.clients()
    client = clients("logs")
    prefix = group_prefix(names.stack)
    chosen = [f"{prefix}{agent}"] if agent else groups(client, prefix)
    seen: set[tuple[str, ...]] = set()
    while True:
        for event in sorted(
            (e for group in chosen for e in events(client, group, start_ms, containing=task)),
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
