"""`sqswarm map`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import JsonObject, loads_unambiguous

if TYPE_CHECKING:
    from sqswarm import Done


def map_rows(
    context: typer.Context,
    agent: Annotated[
        str, typer.Argument(help="Name of a deployed agent.", autocompletion=completion.agents)
    ],
    file: Annotated[
        str, typer.Argument(help="JSON Lines, one object of arguments each; - = stdin.")
    ],
    *,
    timeout: Annotated[float | None, typer.Option(help="Seconds for all of it.")] = None,
    unordered: Annotated[
        bool, typer.Option("--unordered", help="Print each result as it comes.")
    ] = False,
) -> None:
    """Run an agent on every line of a file; results come as JSON Lines in the lines' order.

    Each line is {"index", "taskId", "status", "result" or "error"}; progress goes to stderr.

    Example: sqswarm map keywords texts.jsonl > keywords.jsonl
    """
    session = session_of(context)
    rows: Iterable[JsonObject]
    if file == "-":
        rows, total = _rows(sys.stdin, "stdin"), None
    else:
        rows = _read(file)
        total = len(rows)
    failed = 0
    with (
        session.swarm() as swarm,
        Bar("waiting for workers", total=total, hidden=session.json) as bar,
    ):
        for done in swarm.map(agent, rows, ordered=not unordered, timeout=timeout):
            print_json_line(_line(done))
            failed += done.error is not None
            bar.advance(f"{failed} failed" if failed else "working")
    if failed:
        session.note(f"{failed} failed: their lines hold the error")
        raise typer.Exit(1)


def _read(file: str) -> list[JsonObject]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file}: {error}"
        raise UsageError(message, hint="Name a file of JSON Lines, or - for stdin.") from error
    return list(_rows(text.splitlines(), file))


def _rows(lines: Iterable[str], name: str) -> Iterator[JsonObject]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = loads_unambiguous(line)
        except ValueError as error:
            message = f"{name}, line {number} is not JSON: {error}"
            raise UsageError(message, hint="Each line holds one JSON object.") from error
        if not isinstance(row, dict):
            message = f"{name}, line {number} is not a JSON object"
            raise UsageError(message, hint='Write the arguments by name: {"text": "…"}.')
        yield row


def _line(done: Done) -> dict[str, Any]:
    line = {"index": done.index, "taskId": done.task_id, "status": done.status.value}
    if done.error is None:
        return {**line, "result": done.value}
    return {**line, "error": done.view.to_json().get("error") or {"message": str(done.error)}}
