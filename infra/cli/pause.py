"""`sqswarm pause`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from sqswarm.schemas.paused import Paused

_HOLDING = "holding back what comes"

Agent = Annotated[
    str | None,
    typer.Argument(metavar="[AGENT]", help="Which one.", autocompletion=completion.agents),
]
Everyone = Annotated[bool, typer.Option("--all", help="All agents of the stage.")]


def pause(context: typer.Context, agent: Agent = None, *, everyone: Everyone = False) -> None:
    """Let an agent begin no task until it is resumed; what is submitted waits.

    What runs ends as it would, no attempt is used, and deployments leave the agent paused. A
    message waits in its queue for up to 14 days.

    Example: sqswarm pause keywords
    """
    session = session_of(context)
    one = chosen(agent, everyone=everyone, verb="pause")
    with session.swarm() as swarm, Bar(_HOLDING, total=None, hidden=session.json):
        paused = swarm.pause(one)
    tell(session, paused, agent=one)


def chosen(agent: str | None, *, everyone: bool, verb: str) -> str | None:
    """Return the agent that is meant, None for all; raises UsageError where nothing says it."""
    if (agent is None) is not everyone:
        message = f"nothing says what to {verb}" if agent is None else f"{agent}, or all?"
        raise UsageError(message, hint=f"sqswarm {verb} AGENT, or sqswarm {verb} --all.")
    return agent


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
