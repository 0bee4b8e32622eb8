"""`sqswarm wait`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json_line, print_line
from sqswarm.infra.cli.session import session_of


def wait(
    context: typer.Context,
    task_ids: Annotated[
        list[str],
        typer.Argument(metavar="ID…", help="Tasks' ids.", autocompletion=completion.tasks),
    ],
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait at most.")] = None,
    *,
    wait_for_answers: Annotated[
        bool,
        typer.Option("--wait-for-answers", help="Wait on where tasks ask people, too."),
    ] = False,
) -> None:
    """Wait until all these tasks have ended; one line each as it ends (JSON with --json).

    Once all that are left ask a person it ends with exit code 5 and a question.

    Example: sqswarm wait $(sqswarm submit keywords text=@a.txt) --timeout 60
    """
    from sqswarm.infra.cli.tasks import exit_code

    session = session_of(context)
    code = 0
    with session.swarm() as swarm:
        for task_id in task_ids:
            swarm.get(task_id)  # a wrong id would be waited for without end
        for task in swarm.wait(task_ids, timeout=timeout, wait_for_answers=wait_for_answers):
            view = swarm.get(task.id)
            code = max(code, exit_code(view.status))
            if session.json:
                print_json_line(view.to_json())
            else:
                print_line(f"{task.id}  {task.agent}  {view.status.value}")
    raise typer.Exit(code)
