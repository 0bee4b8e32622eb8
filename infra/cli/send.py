"""`sqswarm send`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import loads_unambiguous

if TYPE_CHECKING:
    from sqswarm.dispatcher.client import Swarm


def send(
    context: typer.Context,
    task_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A task under way.", autocompletion=completion.working_tasks
        ),
    ],
    topic: Annotated[
        str,
        typer.Argument(help="What its agent receives.", autocompletion=completion.received_topics),
    ],
    value: Annotated[
        list[str],
        typer.Argument(
            metavar="VALUE", help="JSON; or an object by NAME=VALUE, NAME:=JSON or NAME=@FILE."
        ),
    ],
    *,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A repeat with this key arrives once.")
    ] = None,
) -> None:
    """Send a value into a task, whose agent waits for it with ctx.receive, or will.

    Example: sqswarm send 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 price '{"cents": 5}'
    """
    session = session_of(context)
    with session.swarm() as swarm:
        given = _value(swarm, task_id, topic, value)
        status = swarm.send(task_id, topic, given, idempotency_key=idempotency_key)
    if session.json:
        print_json({"taskId": task_id, "topic": topic, "status": status.value})
    else:
        print_line(status.value)


def _value(swarm: Swarm, task_id: str, topic: str, words: list[str]) -> object:
    """Return the value that JSON spells, or assignments, as what the task waits for has them."""
    from sqswarm.infra.cli.arguments import is_assignment, parse_arguments
    from sqswarm.schemas.signal import topic_of

    if all(map(is_assignment, words)):
        receives = swarm.get(task_id).record.receives
        schemas = [one["schema"] for key, one in receives.items() if topic_of(key) == topic]
        return parse_arguments(words, schemas[0] if schemas else {})
    try:
        return loads_unambiguous(" ".join(words))
    except ValueError as error:
        message = f"the value is not JSON: {error}"
        raise InvalidArguments(
            message, hint="Quote it for the shell: '{\"cents\": 5}' or '\"text\"'; or name=value."
        ) from error
