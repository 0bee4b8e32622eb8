"""`sqswarm pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.ids import is_task_id

if TYPE_CHECKING:
    from sqswarm.schemas.lifecycle import Status
    from sqswarm.schemas.paused import Paused

_HOLDING = "holding back what comes"

Everyone = Annotated[bool, typer.Option("--all", help="All agents of the stage.")]


def pause(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[AGENT|ID]", help="An agent, or one task.", autocompletion=completion.agents
        ),
    ] = None,
    *,
    agent: Annotated[str | None, typer.Option(help="The task's agent.")] = None,
    everyone: Everyone = False,
) -> None:
    """Let an agent begin no task, or one task no run, until it is resumed.

    What runs ends as it would, no attempt is used, and deployments leave it paused. What is
    submitted to a paused agent waits in its queue for up to 14 days; a paused task is parked.

    Example: sqswarm pause keywords
    """
    session = session_of(context)
    if target is not None and is_task_id(target):
        with session.swarm() as swarm:
            tell_status(session, target, swarm.pause_task(target, agent=agent))
        return
    one = chosen(target or agent, everyone=everyone, verb="pause")
    with session.swarm() as swarm, Bar(_HOLDING, total=None, hidden=session.json):
        paused = swarm.pause(one)
    tell(session, paused, agent=one)


def chosen(agent: str | None, *, everyone: bool, verb: str) -> str | None:
    """Return the agent that is meant, None for all; raises UsageError where nothing says it."""
    if (agent is None) is not everyone:
        message = f"nothing says what to {verb}" if agent is None else f"{agent}, or all?"
        raise UsageError(message, hint=f"sqswarm {verb} AGENT, or sqswarm {verb} --all.")
    return agent


def tell_status(session: Session, task_id: str, status: Status) -> None:
    """Print the status of the task that was paused or resumed."""
    if session.json:
        print_json({"taskId": task_id, "status": status.value})
    else:
        print_line(status.value)


def tell(session: Session, paused: Paused, *, agent: str | None) -> None:
    """Print who is paused now, or that `agent` goes on."""
    if session.json:
        print_json({name: one.to_json() for name, one in paused.items()})
    elif agent is not None and agent not in paused:
        print_line(f"{agent} goes on")
    elif not paused:
        print_line("all agents go on")
    else:
        print_line("paused: " + ", ".join(paused))
