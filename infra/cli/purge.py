"""`sqswarm purge`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion, filters
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError


def purge(
    context: typer.Context,
    agent: Annotated[
        str, typer.Argument(help="An agent, or `unrouted`.", autocompletion=completion.agents)
    ],
    *,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Its dead letters instead.")
    ] = False,
    yes: filters.Yes = False,
) -> None:
    """Delete every message that waits for an agent, or its dead letters.

    Durable tasks come back: housekeeping publishes again what has a record. Cancel those.

    Example: sqswarm purge keywords --dead-letters --yes
    """
    from sqswarm.infra.cli.queues import queues_of

    session = session_of(context)
    if session.json and not yes:
        message = "purge would have to ask, and --json has nobody to ask"
        raise UsageError(message, hint="Add --yes.")
    sqs, (queue,) = queues_of(session, agent)
    url = queue.dead_letters_url if dead_letters else queue.url
    counts = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    number = sum(map(int, counts.values()))
    what = f"about {number} {'dead letters' if dead_letters else 'messages'} of {agent}"
    if not yes:
        typer.confirm(f"Delete {what}?", abort=True, err=True)
    sqs.purge_queue(QueueUrl=url)
    if session.json:
        print_json({"agent": agent, "deadLetters": dead_letters, "deleted": number})
    else:
        print_line(f"deleted {what}")
