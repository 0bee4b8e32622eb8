"""`sqswarm dlq`."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.cli.output import duration, print_json, print_line, print_table
from infra.cli.session import session_of

_SHOWN_BODY = 60


def dlq(
    context: typer.Context,
    agent: Annotated[
        str | None, typer.Argument(help="One agent, or `unrouted`; else all of them.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Letters per queue at most.", min=1)] = 100,
) -> None:
    """Look at dead letters and why they were given up; they stay where they are.

    Example: sqswarm dlq keywords --json
    """
    from infra.cli.letters import peek
    from infra.cli.queues import queues_of

    session = session_of(context)
    sqs, queues = queues_of(session, agent)
    letters = [
        letter
        for queue in queues
        for letter in peek(sqs, queue.dead_letters_url, queue.agent, limit=limit)
    ]
    if session.json:
        print_json(
            [
                {
                    "agent": letter.agent,
                    "reason": letter.reason,
                    "detail": letter.detail,
                    "taskId": letter.task_id,
                    "receives": letter.receives,
                    "firstSeenMs": letter.first_seen_ms,
                    "ageSeconds": round(letter.age_s, 1),
                    "body": letter.body,
                }
                for letter in letters
            ]
        )
        return
    if not letters:
        print_line("no dead letters")
        return
    print_table(
        ["agent", "reason", "detail", "task", "receives", "age", "body"],
        [
            (
                letter.agent,
                letter.reason,
                letter.detail,
                letter.task_id,
                letter.receives,
                duration(letter.age_s),
                letter.body[:_SHOWN_BODY],
            )
            for letter in letters
        ],
    )
