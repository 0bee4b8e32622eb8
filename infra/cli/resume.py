"""`sqswarm resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.pause import Everyone, chosen, tell, tell_status
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.ids import is_task_id


def resume(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[AGENT|ID]",
            help="A paused agent, or a paused or parked task.",
            autocompletion=completion.agents,
        ),
    ] = None,
    *,
    agent: Annotated[str | None, typer.Option(help="The task's agent.")] = None,
    everyone: Everyone = False,
) -> None:
    """Let a paused agent go on with what waits, or a paused or parked task go on.

    `deploy` does so with all parked tasks by itself, and with no paused one. A task whose code
    still does not fit is parked again, with no attempt used.

    Example: sqswarm resume keywords
    """
    session = session_of(context)
    if target is not None and is_task_id(target):
        with session.swarm() as swarm:
            tell_status(session, target, swarm.resume_task(target, agent=agent))
        return
    one = chosen(target or agent, everyone=everyone, verb="resume")
    with session.swarm() as swarm, Bar("letting go what waits", total=None, hidden=session.json):
        paused = swarm.resume(one)
    tell(session, paused, agent=one)
