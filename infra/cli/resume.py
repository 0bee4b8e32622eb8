"""`sqswarm resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.pause import Everyone, chosen, tell
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.ids import is_task_id


def resume(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[AGENT|ID]",
            help="A paused agent, or a parked task.",
            autocompletion=completion.agents,
        ),
    ] = None,
    *,
    agent: Annotated[str | None, typer.Option(help="The parked task's agent.")] = None,
    everyone: Everyone = False,
) -> None:
    """Let a paused agent go on with what waits, or a parked task meet the code of today.

    `deploy` does so with all parked tasks by itself. One whose code still does not fit is parked
    again, with no attempt used.

    Example: sqswarm resume keywords
    """
    session = session_of(context)
    if target is not None and is_task_id(target):
        _resume_task(session, target, agent)
        return
    one = chosen(target or agent, everyone=everyone, verb="resume")
    with session.swarm() as swarm, Bar("letting go what waits", total=None, hidden=session.json):
        paused = swarm.resume(one)
    tell(session, paused, agent=one)


def _resume_task(session: Session, task_id: str, agent: str | None) -> None:
    with session.swarm() as swarm:
        status = swarm.resume_task(task_id, agent=agent)
    if session.json:
        print_json({"taskId": task_id, "status": status.value})
    else:
        print_line(status.value)
