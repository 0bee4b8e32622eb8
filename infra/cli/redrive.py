"""`sqswarm redrive`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of


def redrive(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="An agent with dead letters.")],
    *,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="Only this task's; may be repeated.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="How many at most.", min=1)] = None,
    rate: Annotated[
        float | None, typer.Option(help="How many in a second at most.", min=0.01)
    ] = None,
) -> None:
    """Run an agent's dead letters again: one, some or all.

    A failed task becomes a new task with a fresh budget, linked to the old one. A message that
    never became a task is moved back as it is: deploy what it needs first.

    Example: sqswarm redrive keywords --limit 100 --rate 10
    """
    session = session_of(context)
    shown = []
    with session.swarm() as swarm:
        for one in swarm.redrive_dead_letters(agent, task_ids=task, limit=limit, rate_per_s=rate):
            shown.append(
                {
                    "reason": one.letter.reason,
                    "oldTaskId": one.letter.task_id,
                    "newTaskId": one.new.task_id if one.new else None,
                    "error": str(one.error) if one.error else None,
                }
            )
            if not session.json:
                became = one.new.task_id if one.new else "moved back"
                print_line(f"{one.letter.task_id or '(no task)'}  {one.error or became}")
    if session.json:
        print_json(shown)
    elif not shown:
        print_line(f"{agent} has no such dead letters")
