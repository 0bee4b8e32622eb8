"""`sqswarm list`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm import TaskView
from sqswarm.infra.cli import completion, filters
from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import session_of


def list_tasks(
    context: typer.Context,
    *,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only tasks with this status, or `parked`.", autocompletion=completion.listed
        ),
    ] = None,
    agent: filters.Agent = None,
    since: filters.Since = None,
    until: filters.Until = None,
    error_type: Annotated[
        str | None, typer.Option(help="Only tasks that failed with this type of error.")
    ] = None,
    where: filters.Where = None,
    principal: filters.Principal = None,
    limit: filters.Limit = 50,
    cursor: filters.Cursor = None,
    everything: filters.Everything = False,
) -> None:
    """List the tasks that last began, ended, asked or were cancelled.

    Example: sqswarm list --status failed --since 1h --where tenant=acme
    """
    session = session_of(context)
    tags = filters.tags_of(where)
    filters.check(status=status, since=since, until=until, where=tags)
    views: list[TaskView] = []
    with session.swarm() as swarm:
        while True:
            page = swarm.list(
                status=status,
                agent=agent,
                since=since,
                until=until,
                error_type=error_type,
                where=tags,
                principal=principal,
                limit=limit,
                cursor=cursor,
            )
            views += page
            cursor = page.cursor
            if cursor is None or not everything:
                break
    shown = [view.to_json() for view in views]
    if session.json:
        print_json(shown)
    else:
        print_table(
            ["task", "agent", "status", "attempt", "created", "says"],
            [
                (
                    task["taskId"],
                    task["agent"],
                    next((on for on in ("paused", "parked") if task.get(on)), task["status"]),
                    task["attempt"],
                    task["createdAt"],
                    task.get("statusMessage") or (task.get("error") or {}).get("message", ""),
                )
                for task in shown
            ],
        )
    filters.say_what_is_left(len(shown), page.total, cursor, page.looked_back_to)
