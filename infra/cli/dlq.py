"""`sqswarm dlq`."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli import completion, filters
from sqswarm.infra.cli.output import duration, print_json, print_line, print_table
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.naming import UNROUTED

if TYPE_CHECKING:
    from sqswarm.dispatcher.lifecycle.dead_letter_groups import DeadLetterGroups
    from sqswarm.dispatcher.lifecycle.dead_letters import DeadLetters

_SHOWN_BODY = 60


class By(StrEnum):
    """What dead letters can be grouped by."""

    REASON = "reason"


def dlq(
    context: typer.Context,
    agent: Annotated[
        str | None,
        typer.Argument(
            help="One agent, or `unrouted`; else all of them.", autocompletion=completion.agents
        ),
    ] = None,
    *,
    by: Annotated[By | None, typer.Option(help="Count them by reason, with examples.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only those of this reason.")] = None,
    since: filters.Since = None,
    limit: Annotated[int, typer.Option(help="Dead letters per queue at most.", min=1)] = 100,
    page: Annotated[int, typer.Option(help="Which page of as many, from 1.", min=1)] = 1,
) -> None:
    """Look at dead letters and why they were given up; they stay where they are.

    How many there are is SQS's own count. A queue keeps no lasting order: while it changes, a
    dead letter may be on two pages.

    Example: sqswarm dlq --by reason
    """
    session = session_of(context)
    if by is not None and (reason or since):
        message = "--by counts all dead letters"
        raise UsageError(message, hint="Leave --reason and --since out, or --by.")
    with session.swarm() as swarm:
        if by is not None:
            _show_groups(session, swarm.dead_letter_groups(agent))
            return
        queues = [agent] if agent else [*(entry.name for entry in swarm.agents()), UNROUTED]
        offset = (page - 1) * limit
        pages = {
            queue: swarm.dead_letters(queue, limit=limit, offset=offset, reason=reason, since=since)
            for queue in queues
        }
    _show_letters(session, pages)
    for queue, letters in pages.items():
        if letters.total > len(letters):
            more = len(letters) == limit and offset + limit < letters.total
            command = f"; `sqswarm dlq {queue} --page {page + 1}` shows more" if more else ""
            session.note(f"{queue}: {len(letters):,} of {letters.total:,} dead letters{command}")


def _show_letters(session: Session, pages: dict[str, DeadLetters]) -> None:
    letters = [letter for page in pages.values() for letter in page]
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


def _show_groups(session: Session, groups: DeadLetterGroups) -> None:
    if session.json:
        print_json([group.to_json() for group in groups])
        return
    if not groups:
        print_line("no dead letters")
        return
    now_s = time.time()
    print_table(
        ["agent", "reason", "count", "oldest", "newest", "for example"],
        [
            (
                group.agent,
                group.reason,
                f"{group.count:,}",
                duration(now_s - group.oldest_ms / 1000),
                duration(now_s - group.newest_ms / 1000),
                "\n".join(
                    f"{letter.task_id or '(no task)'}  {letter.to_json()['detail']}"
                    for letter in group.examples
                ),
            )
            for group in groups
        ],
    )
    if groups.looked_at < groups.total:
        session.note(f"{groups.looked_at:,} of {groups.total:,} dead letters were looked at")
