"""`sqswarm runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli.output import duration, print_json, print_table
from sqswarm.infra.cli.session import session_of

if TYPE_CHECKING:
    from sqswarm import RunCounts


def runs(
    context: typer.Context,
    since: Annotated[
        str | None, typer.Option(help="Only later ones: 2h, 3d, or a time in ISO 8601.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
) -> None:
    """List map runs, the newest first: how many rows have ended, how fast, how long it takes.

    Example: sqswarm runs --since 1d
    """
    session = session_of(context)
    with session.swarm() as swarm:
        counts = [run.counts() for run in swarm.map_runs(since=since, limit=limit)]
    if session.json:
        print_json([one.to_json() for one in counts])
        return
    if not counts:
        session.note("no map runs; start one with `sqswarm map AGENT FILE --detach`")
        return
    print_table(
        ("run", "agent", "status", "rows", "failed", "a second", "left"),
        [
            (
                one.run,
                one.agent,
                standing(one),
                f"{one.done:,} of {one.total:,}",
                one.failed or "",
                f"{one.rate:.1f}",
                left(one),
            )
            for one in counts
        ],
    )


def standing(counts: RunCounts) -> str:
    """Return a run's status as a person reads it."""
    return "paused" if counts.paused else counts.status.value


def left(counts: RunCounts) -> str:
    """Return how long the rest of a run takes, as far as that is known."""
    if counts.status.terminal:
        return ""
    return "?" if counts.estimate_s is None else duration(counts.estimate_s)
