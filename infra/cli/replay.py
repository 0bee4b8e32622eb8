"""`sqswarm replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import modules_of, session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import JsonObject, loads

_UNFIT = 1


def replay(
    context: typer.Context,
    journals: Annotated[
        list[Path], typer.Argument(metavar="JOURNAL…", help="Files of `sqswarm show ID --journal`.")
    ],
    *,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
) -> None:
    """Replay recorded tasks against the code of this folder; exit code 1 where it does not fit.

    Nothing is called: what is recorded is not done again, and what is not ends the replay.

    Example: sqswarm replay tests/journals/*.json
    """
    from sqswarm.infra.deployment.replay_check import replay_all

    session = session_of(context)
    project = session.project(modules_of(agents))
    try:
        replays = replay_all([_journal(file) for file in journals], project)
    except OSError as error:
        message = f"nothing was replayed: {error}"
        raise UsageError(message, hint="See that the agents load: `sqswarm synth`.") from error
    if session.json:
        print_json([one.to_json() for one in replays])
    else:
        rows = [
            (str(file), one.agent, one.error or (one.misfit or {"why": "fits"})["why"])
            for file, one in zip(journals, replays, strict=True)
        ]
        print_table(["journal", "agent", "says"], rows)
    if any(one.misfit is not None for one in replays):
        raise typer.Exit(_UNFIT)


def _journal(file: Path) -> JsonObject:
    try:
        journal = loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read: {error}"
        raise UsageError(message, hint="Write it with `sqswarm show ID --journal`.") from error
    if not isinstance(journal, dict) or "journal" not in journal:
        message = f"{file} is no journal"
        raise UsageError(message, hint="Write one with `sqswarm show ID --journal`.")
    return journal
