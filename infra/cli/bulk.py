"""What verbs share that act on many: filters, a count and a question first, progress, an end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.progress import Bar
from sqswarm.infra.cli.session import Session
from sqswarm.schemas.errors import SwarmError, UsageError

if TYPE_CHECKING:
    from sqswarm.dispatcher.bulk import Matched

T = TypeVar("T")
_TOLD_TYPES = 3


def refuse_to_ask(session: Session, verb: str) -> None:
    """Raise UsageError where --json is given without --yes: there is nobody to ask."""
    if session.json:
        message = f"{verb} would have to ask, and --json has nobody to ask"
        raise UsageError(message, hint="Add --yes.")


def told_count(matched: Matched, noun: str, limit: int | None) -> str:
    """Return how many an act is about, and of what: `100 of 412 failed tasks (400 KeyError, …)`."""
    number = f"{matched.count:,}{' or more' if matched.more else ''}"
    if limit is not None and limit < matched.count:
        number = f"{limit:,} of {number}"
    counts = matched.by_error_type or matched.by_agent
    parts = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    told = [f"{count:,} {name}" for name, count in parts[:_TOLD_TYPES]]
    if len(parts) > _TOLD_TYPES:
        told.append("…")
    return f"{number} {noun} ({', '.join(told)})"


def ask(question: str) -> None:
    """Ask on stderr whether to go on; raises Abort for no, or where nobody answers."""
    typer.confirm(question, abort=True, err=True)


def carry_out(
    session: Session,
    acts: Iterator[T],
    *,
    doing: str,
    total: int | None,
    told: Callable[[T], tuple[dict[str, Any], str, SwarmError | None]],
) -> None:
    """Go through `acts` with a bar, print what became of each, and end with 1 if any was refused.

    `told` gives each one's JSON, its line, and its error. Broken off, it says how far it came.
    """
    shown: list[dict[str, Any]] = []
    refused = 0
    try:
        with Bar(doing, total=total, hidden=session.json) as bar:
            for act in acts:
                fields, line, error = told(act)
                shown.append(fields)
                refused += error is not None
                if not session.json:
                    print_line(line)
                bar.advance(f"{doing}, {refused} refused" if refused else doing)
    except KeyboardInterrupt:
        of = "" if total is None else f" of {total:,}"
        session.note(f"{len(shown):,}{of} done; the same command goes on with the others")
        raise
    finally:
        if isinstance(acts, Generator):
            acts.close()  # it shows dead letters again that it has not come to
        if session.json:
            print_json(shown)
    if refused:
        session.note(f"{refused:,} of {len(shown):,} were refused: their lines say why")
        raise typer.Exit(1)


def bounded(total: int, limit: int | None) -> int:
    """Return how many of `total` are done at most."""
    return total if limit is None else min(total, limit)
