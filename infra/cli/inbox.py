"""`sqswarm inbox`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.json import dumps


def inbox(
    context: typer.Context,
    *,
    agent: Annotated[str | None, typer.Option(help="Only tasks of this agent.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1)] = 50,
) -> None:
    """List the tasks that wait for people, what they ask, and the form of an answer.

    Example: sqswarm inbox --json
    """
    session = session_of(context)
    with session.swarm() as swarm:
        waiting = [view.to_json() for view in swarm.inbox(agent=agent, limit=limit)]
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
