"""`sqswarm session`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import TaskNotFound, UsageError
from sqswarm.schemas.json import dumps
from sqswarm.schemas.task import iso

_SHOWN_CHARACTERS = 300


def session(
    context: typer.Context,
    session_id: Annotated[str, typer.Argument(help="The session's id.")],
    *,
    agent: Annotated[
        str | None,
        typer.Option(
            help="Whose talk it is; every agent's where it is not given.",
            autocompletion=completion.agents,
        ),
    ] = None,
    principal: Annotated[
        str | None, typer.Option(help="Whose it is; yours where it is not given.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget all of it.")] = False,
) -> None:
    """Show, export (--json) or delete one conversation with an agent.

    Example: sqswarm session trip-7 --agent desk --json > trip-7.json
    """
    told = session_of(context)
    from sqswarm.backends.runner import run_straight
    from sqswarm.dispatcher.sessions import find_sessions, forget_session

    connection = told.connection()
    owner = principal or connection.principal
    agents = connection.catalogue.names if agent is None else (agent,)
    found = run_straight(find_sessions(connection, session_id, principal=owner, agents=agents))
    if not found:
        message = f"there is no session {session_id!r} of {owner}"
        raise TaskNotFound(
            message, hint="A session is one principal's with one agent: see --principal, --agent."
        )
    if len(found) > 1:
        message = f"{len(found)} agents have a session {session_id!r} of {owner}"
        raise UsageError(message, hint=f"--agent: {', '.join(one.agent for one in found)}.")
    [history] = found
    if delete:
        turns = run_straight(forget_session(connection, history))
        if told.json:
            print_json({"deleted": session_id, "turns": turns})
        else:
            print_line(f"forgot {turns} turns of {session_id}")
        return
    if told.json:
        print_json(history.to_json())
        return
    print_table(
        ["when", "who", "says"],
        [
            (iso(turn.at_ms), message["role"], _said(message["content"]))
            for turn in history.turns
            for message in turn.messages
        ],
    )


def _said(content: object) -> str:
    text = content if isinstance(content, str) else dumps(content)
    return text[:_SHOWN_CHARACTERS]
