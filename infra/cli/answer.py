"""`sqswarm answer`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import loads_unambiguous


def answer(
    context: typer.Context,
    task_id: Annotated[str, typer.Argument(metavar="ID", help="A task that waits.")],
    key: Annotated[str, typer.Argument(help="Which of its questions: see `sqswarm inbox`.")],
    value: Annotated[str, typer.Argument(metavar="JSON", help="The answer, as JSON.")],
) -> None:
    """Answer a question that a task asked; when none is open any more, the task goes on.

    Example: sqswarm answer 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 approve '{"approved": true}'
    """
    session = session_of(context)
    try:
        given = loads_unambiguous(value)
    except ValueError as error:
        message = f"the answer is not JSON: {error}"
        raise InvalidArguments(
            message, hint="Quote it for the shell: '{\"approved\": true}'."
        ) from error
    with session.swarm() as swarm:
        status = swarm.answer(task_id, key, given)
    if session.json:
        print_json({"taskId": task_id, "key": key, "status": status.value})
    else:
        print_line(status.value)
