"""`sqswarm list`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.lifecycle import Status


def list_tasks(
    context: typer.Context,
    *,
    status: Annotated[str | None, typer.Option(help="Only tasks with this status.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only tasks of this agent.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 50,
) -> None:
    """List the newest tasks. It reads the whole table: for people, not for loops.

    Example: sqswarm list --status failed --limit 10
    """
    session = session_of(context)
    known = [s.value for s in Status]
    if status is not None and status not in known:
        message = f"there is no status {status!r}"
        raise UsageError(message, hint=f"Choose one of {', '.join(known)}.")
    with session.swarm() as swarm:
        views = swarm.list(status=status, agent=agent, limit=limit)
    if session.json:
        print_json([view.to_json() for view in views])
        return
    shown = [view.to_json() for view in views]
    print_table(
        ["task", "agent", "status", "attempt", "created", "says"],
        [
            (
                task["taskId"],
                task["agent"],
                task["status"],
                task["attempt"],
                task["createdAt"],
                task.get("statusMessage") or (task.get("error") or {}).get("message", ""),
            )
            for task in shown
        ],
    )
