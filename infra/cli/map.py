"""`sqswarm map`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_json_line, print_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.map_run import UNDER_WAY

if TYPE_CHECKING:
    from sqswarm import Done, Swarm
    from sqswarm.infra.cli.session import Session

_WHERE = "`sqswarm run ID --wait --results` waits, and gives its results in order."


def map_rows(
    context: typer.Context,
    agent: Annotated[
        str, typer.Argument(help="Name of a deployed agent.", autocompletion=completion.agents)
    ],
    file: Annotated[
        str,
        typer.Argument(
            help="JSON Lines, one object of arguments each, or CSV (.csv); - = stdin. "
            "With --detach s3://bucket/key too."
        ),
    ],
    *,
    timeout: Annotated[float | None, typer.Option(help="Seconds for all of it.")] = None,
    unordered: Annotated[
        bool, typer.Option("--unordered", help="Print each result as it comes.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Start a run that lives in the swarm, and print its id."),
    ] = False,
    tolerate: Annotated[
        str,
        typer.Option(help="With --detach: how many rows may fail: a share (0.05), or a number."),
    ] = "0",
    concurrency: Annotated[
        int | None, typer.Option(help="With --detach: rows under way at most.")
    ] = None,
    item_key: Annotated[
        str | None, typer.Option(help="With --detach: the field that names a row.")
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(help="Who is told: of each task's end, with --detach of the run's."),
    ] = None,
) -> None:
    """Run an agent on every line of a file; results come as JSON Lines in the lines' order.

    Each line is {"index", "taskId", "status", "result" or "error"}; progress goes to stderr.
    With --detach nobody has to stay: `sqswarm run ID` shows the run and gives its results.

    Example: sqswarm map keywords texts.jsonl > keywords.jsonl
    """
    session = session_of(context)
    if detach and (unordered or timeout is not None):
        raise UsageError("nobody waits for a run that is detached", hint=_WHERE)
    if not detach and (concurrency is not None or item_key is not None or tolerate != "0"):
        raise UsageError("only a run that is detached has such an option", hint="Add --detach.")
    share = _tolerate(tolerate)
    with ExitStack() as opened:
        lines = None if detach and file != "-" else _opened(file, opened)
        swarm = opened.enter_context(session.swarm())
        rows = file if lines is None else _rows(swarm, agent, lines, file)
        if not detach:
            _attached(
                session,
                swarm,
                agent,
                rows,
                ordered=not unordered,
                timeout=timeout,
                notify=notify,
            )
            return
        run = swarm.start_map(
            agent,
            rows,
            tolerate=share,
            item_key=item_key,
            concurrency=UNDER_WAY if concurrency is None else concurrency,
            notify=notify,
        )
    if session.json:
        print_json({"run": run.id})
    else:
        print_line(run.id)
        session.note(f"started; see how it goes with `sqswarm run {run.id}`")


def _attached(
    session: Session,
    swarm: Swarm,
    agent: str,
    rows: Any,
    *,
    ordered: bool,
    timeout: float | None,
    notify: list[str] | None,
) -> None:
    """Stay until all is done, and print the lines."""
    total = len(rows) if isinstance(rows, list) else None
    failed = 0
    with Bar("waiting for workers", total=total, hidden=session.json) as bar:
        for done in swarm.map(agent, rows, ordered=ordered, timeout=timeout, notify=notify):
            print_json_line(_line(done))
            failed += done.error is not None
            bar.advance(f"{failed} failed" if failed else "working")
    if failed:
        session.note(f"{failed} failed: their lines hold the error")
        raise typer.Exit(1)


def _opened(file: str, opened: ExitStack) -> IO[bytes]:
    """Open a file here, or stdin, before anything is asked of the swarm."""
    if file == "-":
        return sys.stdin.buffer
    if file.startswith("s3://"):
        message = f"{file} is read by a run that lives in the swarm"
        raise UsageError(message, hint="Add --detach, or fetch the file first.")
    try:
        return opened.enter_context(Path(file).open("rb"))
    except OSError as error:
        message = f"{file}: {error}"
        raise UsageError(
            message, hint="Name a file of JSON Lines or CSV, or - for stdin."
        ) from error


def _rows(swarm: Swarm, agent: str, lines: IO[bytes], file: str) -> Iterable[Any]:
    """Return the rows of a file, all of them; those of stdin as they come."""
    from sqswarm.dispatcher.map_rows import rows_of

    schemas = {one.name: one.input_schema for one in swarm.agents()}
    name = "stdin" if file == "-" else file
    rows = rows_of(lines, Path(file).suffix.lower(), name, schemas.get(agent, {}))
    return rows if file == "-" else list(rows)


def _tolerate(text: str) -> float:
    """Return a share where there is a point in it, else a number of rows."""
    try:
        return float(text) if "." in text else int(text)
    except ValueError as error:
        message = f"--tolerate {text} is neither a share nor a number of rows"
        raise UsageError(message, hint="Like 0.05, or 5.") from error


def _line(done: Done) -> dict[str, Any]:
    line = {"index": done.index, "taskId": done.task_id, "status": done.status.value}
    if done.error is None:
        return {**line, "result": done.value}
    return {**line, "error": done.view.to_json().get("error") or {"message": str(done.error)}}
