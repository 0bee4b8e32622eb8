"""`sqswarm dlq`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from sqswarm.infra.cli.output import duration, print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.naming import UNROUTED

_SHOWN_BODY = 60


def dlq(
    context: typer.Context,
    agent: Annotated[
        str | None, typer.Argument(help="One agent, or `unrouted`; else all of them.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Dead letters per queue at most.", min=1)] = 100,
) -> None:
    """Look at dead letters and why they were given up; they stay where they are.

    Example: sqswarm dlq keywords --json
    """
    session = session_of(context)
    with session.swarm() as swarm:
        queues = [agent] if agent else [*(entry.name for entry in swarm.agents()), UNROUTED]
        letters = [letter for queue in queues for letter in swarm.dead_letters(queue, limit=limit)]
    if session.json:
        print_json([letter.to_json() for letter in letters])
        return
    if not letters:
        print_line("no dead letters")
        return
    now_s = time.time()
    print_table(
        ["agent", "reason", "detail", "task", "attempts", "age", "body"],
        [
            (
                shown["agent"],
                shown["reason"],
                shown["detail"],
                shown["taskId"],
                shown["attempts"],
                duration(now_s - letter.delivery.sent_ms / 1000),
                shown["body"][:_SHOWN_BODY],
            )
            for letter in letters
            for shown in (letter.to_json(),)
        ],
    )
