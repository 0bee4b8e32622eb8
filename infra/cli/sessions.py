"""`sqswarm session`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import TaskNotFound, Unreachable
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
    principal: Annotated[
        str | None, typer.Option(help="Whose it is; yours where it is not given.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Forget all of it.")] = False,
) -> None:
    """Show, export (--json) or delete one conversation.

    Example: sqswarm session trip-7 --json > trip-7.json
    """
    told = session_of(context)
    from sqswarm.backends.aws.caller import BlockingCaller
    from sqswarm.backends.aws.connect import identify
    from sqswarm.backends.aws.store import DynamoStore
    from sqswarm.backends.runner import BlockingRunner, run_straight

    names, clients = told.clients()
    caller, runner = BlockingCaller(clients), BlockingRunner()
    if principal is None:
        principal = run_straight(identify(told.settings(), caller)).principal
    store = DynamoStore(caller, runner, names.table)
    empty = History(principal=str(principal), session_id=session_id)
    history = empty.of_item(run_straight(store.read(empty.key)))
    if not history.turns:
        message = f"there is no session {session_id!r} of {principal}"
        raise TaskNotFound(message, hint="Sessions belong to principals: see --principal.")
    if delete:
        for _ in range(_TRIES):
            outcome = run_straight(store.write(history.forget(now_ms=runner.now_ms())))
            if not isinstance(outcome, Refused):
                break
            history = empty.of_item(outcome.item)
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
