"""`sqswarm cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqswarm.infra.cli import completion, filters
from sqswarm.infra.cli.bulk import (
    ask,
    bounded,
    carry_out,
    refuse_to_ask,
    told_count,
)
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import SwarmError, UsageError

if TYPE_CHECKING:
    from sqswarm.dispatcher.async_client import Filters
    from sqswarm.dispatcher.bulk import Acted


def cancel(
    context: typer.Context,
    task_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="A task's id; else all that match.",
            autocompletion=completion.tasks,
        ),
    ] = None,
    *,
    agent: Annotated[
        str | None,
        typer.Option(
            help="Its agent (needed for a task that no worker has begun), or whose tasks.",
            autocompletion=completion.agents,
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Tasks of this status: working or input_required.",
            autocompletion=completion.statuses,
        ),
    ] = None,
    since: filters.Since = None,
    until: filters.Until = None,
    where: filters.Where = None,
    limit: filters.AtMost = None,
    rate: filters.Rate = None,
    yes: filters.Yes = False,
) -> None:
    """Cancel a task, or all tasks that match and have not ended.

    One that has ended already stays as it is; the answer says so. Of many, how many is said first;
    tasks that have no record, because no worker has had them yet, are not among them.

    Example: sqswarm cancel --agent keywords --where tenant=acme
    """
    session = session_of(context)
    of_many = {"--status": status, "--since": since, "--until": until, "--where": where}
    given = [name for name, value in of_many.items() if value]
    if task_id is not None:
        if given:
            message = f"{given[0]} is for many tasks, and {task_id} is one"
            raise UsageError(message, hint="Give the id, or filters.")
        _cancel_one(session, task_id, agent)
        return
    if agent is None and not given:
        message = "nothing says what to cancel"
        raise UsageError(message, hint="Name a task's id, or a filter such as --agent keywords.")
    if not yes:
        refuse_to_ask(session, "cancel")
    wanted: Filters = {
        "agent": agent,
        "status": status,
        "since": since,
        "until": until,
        "where": filters.tags_of(where),
    }
    _cancel_many(session, wanted, limit=limit, rate=rate, yes=yes)


def _cancel_one(session: Session, task_id: str, agent: str | None) -> None:
    with session.swarm() as swarm:
        status = swarm.cancel(task_id, agent=agent)
    if session.json:
        print_json({"taskId": task_id, "status": status.value})
    else:
        told = "" if status.terminal else ": its steps are undone first"
        print_line(f"{status.value}{told}")


def _cancel_many(
    session: Session, wanted: Filters, *, limit: int | None, rate: float | None, yes: bool
) -> None:
    with session.swarm() as swarm:
        matched = swarm.count_matching("cancel", **wanted)
        if not matched.count:
            if session.json:
                print_json([])
            else:
                print_line("there are no such tasks that have not ended")
            return
        if not yes:
            noun = f"{wanted['status']} tasks" if wanted["status"] else "tasks"
            ask(f"Cancel {told_count(matched, noun, limit)}, and their child tasks?")
        carry_out(
            session,
            swarm.cancel_matching(limit=limit, rate_per_s=rate, **wanted),
            doing="cancelling",
            total=None if matched.more else bounded(matched.count, limit),
            told=_told,
        )


def _told(one: Acted) -> tuple[dict[str, Any], str, SwarmError | None]:
    ended = one.status.value if one.status else None
    fields = {
        "taskId": one.task_id,
        "agent": one.agent,
        "status": ended,
        "error": str(one.error) if one.error else None,
    }
    return fields, f"{one.task_id}  {one.error or ended}", one.error
