"""`sqswarm get`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json
from sqswarm.infra.cli.session import session_of


def get(
    context: typer.Context,
    task_id: Annotated[
        str, typer.Argument(metavar="ID", help="A task's id.", autocompletion=completion.tasks)
    ],
) -> None:
    """Show a task: status, attempts, result or error.

    Example: sqswarm get 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 --json
    """
    from sqswarm.infra.cli.tasks import show_task

    session = session_of(context)
    with session.swarm() as swarm:
        view = swarm.get(task_id)
    if session.json:
        print_json(view.to_json())
    else:
        show_task(view)
