"""`sqswarm run`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_json_line, print_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.runs import left, standing
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from sqswarm import MapRun, RunCounts
    from sqswarm.infra.cli.session import Session

_LOOK_EVERY_S = 1.0


def run(
    context: typer.Context,
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run's id.", autocompletion=completion.tasks)
    ],
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end.")] = False,
    results: Annotated[
        bool,
        typer.Option("--results", help="Print a line for each row, as far as it has come."),
    ] = False,
    redrive_failures: Annotated[
        bool,
        typer.Option("--redrive-failures", help="Start a run of the rows that failed; its id."),
    ] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Let no more rows begin.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let a paused run go on.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel it.")] = False,
) -> None:
    """Show how a map run stands; on a terminal, follow it: Ctrl-C leaves it, and it goes on.

    --results prints {"index", "value"} or {"index", "error"}, in the rows' order, as JSON Lines.
    With --wait the exit code is 1 where the run has failed.

    Example: sqswarm run 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 --wait --results > results.jsonl
    """
    from sqswarm.infra.cli.tasks import exit_code

    if redrive_failures + pause + resume + cancel + (wait or results) > 1:
        message = "one thing is done with a run at a time"
        raise UsageError(message, hint="Say one, and ask for the run again.")
    session = session_of(context)
    with session.swarm() as swarm:
        found = swarm.map_run(run_id)
        if pause or resume or cancel:
            act = found.pause if pause else found.resume if resume else found.cancel
            status = act().value
            _say(session, {"run": found.id, "status": status}, status)
            return
        if redrive_failures:
            again = found.redrive_failures()
            _say(session, {"run": again.id, "redrivenFrom": found.id}, again.id)
            return
        follows = wait or (sys.stderr.isatty() and not session.json and not results)
        counts = _followed(session, found) if follows else found.counts()
        if results:
            for row in found.results(wait=wait):
                print_json_line(row.to_json())
            if not counts.status.terminal:
                session.note("the run goes on: --wait waits for its end")
        elif session.json:
            print_json(counts.to_json())
        else:
            _show(session, counts)
    if follows:
        raise typer.Exit(exit_code(counts.status))


def _followed(session: Session, found: MapRun) -> RunCounts:
    """Show a bar until the run's end, and return how it ended; who leaves ends nothing."""
    counts = found.counts()
    try:
        with Bar("", total=counts.total, hidden=session.json) as bar:
            while not counts.status.terminal:
                bar.show(counts.done, _text(counts))
                time.sleep(_LOOK_EVERY_S)
                counts = found.counts()
    except KeyboardInterrupt:
        session.note(f"the run goes on; come back with `sqswarm run {found.id}`")
        raise typer.Exit(0) from None
    return counts


def _text(counts: RunCounts) -> str:
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    return f"{counts.done:,} of {counts.total:,}{failed}, {counts.rate:.1f}/s, {left(counts)} left"


def _show(session: Session, counts: RunCounts) -> None:
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    print_line(
        f"{counts.run}  {counts.agent}  {standing(counts)}  "
        f"{counts.done:,} of {counts.total:,} rows{failed}, {counts.rate:.1f} a second"
    )
    print_line(f"results: {counts.results}")
    if counts.estimate_s:
        session.note(f"about {left(counts)} left")
    elif counts.failed or counts.done < counts.total:
        session.note(f"run the failed rows again: sqswarm run {counts.run} --redrive-failures")


def _say(session: Session, shown: dict[str, str], text: str) -> None:
    if session.json:
        print_json(shown)
    else:
        print_line(text)
