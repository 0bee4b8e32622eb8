"""`sqswarm resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of


def resume(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="A parked task.")],
    *,
    agent: Annotated[str | None, typer.Option(help="Its agent.")] = None,
) -> None:
    """Let a parked task meet the code of today; `deploy` does so with all of them by itself.

    One whose code still does not fit is parked again, with no attempt used.

    Example: sqswarm resume 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11
    """
    session = session_of(context)
    with session.swarm() as swarm:
        status = swarm.resume(task_id, agent=agent)
    if session.json:
        print_json({"taskId": task_id, "status": status.value})
    else:
        print_line(status.value)
