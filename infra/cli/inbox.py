"""`sqswarm inbox`."""

from __future__ import annotations

import typer

from sqswarm.infra.cli import filters
from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.json import dumps


def inbox(
    context: typer.Context,
    *,
    agent: filters.Agent = None,
    since: filters.Since = None,
    until: filters.Until = None,
    where: filters.Where = None,
    principal: filters.Principal = None,
    limit: filters.Limit = 50,
    cursor: filters.Cursor = None,
    everything: filters.Everything = False,
) -> None:
    """List the tasks that wait for people, what they ask, and the form of an answer.

    Example: sqswarm inbox --json
    """
    session = session_of(context)
    tags = filters.tags_of(where)
    filters.check(since=since, until=until, where=tags)
    waiting = []
    with session.swarm() as swarm:
        while True:
            page = swarm.inbox(
                agent=agent,
                since=since,
                until=until,
                where=tags,
                principal=principal,
                limit=limit,
                cursor=cursor,
            )
            waiting += [view.to_json() for view in page]
            cursor = page.cursor
            if cursor is None or not everything:
                break
    filters.say_what_is_left(len(waiting), page.total, cursor, page.looked_back_to)
    if session.json:
        print_json(waiting)
        return
    if not waiting:
        print_line("nobody is asked anything")
        return
    print_table(
        ["task", "agent", "key", "asks", "an answer is"],
        [
            (
                task["taskId"],
                task["agent"],
                key,
                request["params"]["message"],
                dumps(request["params"]["requestedSchema"].get("properties", {})),
            )
            for task in waiting
            for key, request in task.get("inputRequests", {}).items()
        ],
    )
