"""`sqswarm cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of


def cancel(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="A task's id.")],
    *,
    agent: Annotated[
        str | None,
        typer.Option(help="Its agent: needed for a task that no worker has begun."),
    ] = None,
) -> None:
    """Cancel a task. One that has ended already stays as it is; the answer says so.

    Example: sqswarm cancel 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11
    """
    session = session_of(context)
    with session.swarm() as swarm:
        status = swarm.cancel(task_id, agent=agent)
    if session.json:
        print_json({"taskId": task_id, "status": status.value})
    else:
        print_line(status.value)
