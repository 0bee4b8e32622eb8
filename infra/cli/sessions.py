"""`sqswarm session`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import TaskNotFound, Unreachable, UsageError
from sqswarm.schemas.json import dumps
from sqswarm.schemas.session import History
from sqswarm.schemas.task import iso
from sqswarm.schemas.writes import Refused

_SHOWN_CHARACTERS = 300
_TRIES = 10


def session(
    context: typer.Context,
    session_id: Annotated[str, typer.Argument(help="The session's id.")],
    *,
    agent: Annotated[
        str | None, typer.Option(help="Whose talk it is; every agent's where it is not given.")
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

    connection = told.connection()
    store, runner = connection.store, connection.runner
    owner = principal or connection.principal
    agents = connection.catalogue.names if agent is None else (agent,)
    sessions = [History(agent=one, principal=owner, session_id=session_id) for one in agents]
    items = run_straight(store.read_many([one.key for one in sessions]))
    found = [held for one in sessions if (held := one.of_item(items.get(one.key))).turns]
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
        for _ in range(_TRIES):
            outcome = run_straight(store.write(history.forget(now_ms=runner.now_ms())))
            if not isinstance(outcome, Refused):
                break
            history = history.of_item(outcome.item)
        else:
            message = f"session {session_id!r} is written to all the time"
            raise Unreachable(message, hint="Cancel its tasks first.")
        if told.json:
            print_json({"deleted": session_id, "turns": len(history.turns)})
        else:
            print_line(f"forgot {len(history.turns)} turns of {session_id}")
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
