"""`sqswarm answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import loads_unambiguous


def answer(
    context: typer.Context,
    task_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A task that waits.", autocompletion=completion.asking_tasks
        ),
    ],
    key: Annotated[
        str,
        typer.Argument(
            help="Which of its questions: see `sqswarm inbox`.", autocompletion=completion.questions
        ),
    ],
    value: Annotated[
        str | None, typer.Argument(metavar="[JSON]", help="The answer, as JSON.")
    ] = None,
    *,
    decline: Annotated[
        bool, typer.Option("--decline", help="Decline to answer: the agent is told so.")
    ] = False,
) -> None:
    """Answer a question that a task asked; when none is open any more, the task goes on.

    Example: sqswarm answer 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 approve '{"approved": true}'
    """
    session = session_of(context)
    if decline == (value is not None):
        message = "an answer is JSON, or --decline"
        raise UsageError(message, hint="Give one of them.")
    try:
        given = loads_unambiguous(value or "null")
    except ValueError as error:
        message = f"the answer is not JSON: {error}"
        raise InvalidArguments(
            message, hint="Quote it for the shell: '{\"approved\": true}'."
        ) from error
    with session.swarm() as swarm:
        status = swarm.decline(task_id, key) if decline else swarm.answer(task_id, key, given)
        gone = not status.terminal and swarm.get(task_id).record.agent not in {
            entry.name for entry in swarm.agents()
        }
    if gone:
        session.note("its agent is not deployed: the answer is kept, and the task is parked until")
        session.note("a deployment has its agent again (`sqswarm list --status parked`)")
    if session.json:
        print_json({"taskId": task_id, "key": key, "status": status.value})
    else:
        print_line(status.value)
