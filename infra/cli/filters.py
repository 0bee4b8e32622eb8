"""Options that verbs about many tasks share: how tasks are filtered, and a page's last line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import note
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.task_filter import TaskFilter

Agent = Annotated[
    str | None, typer.Option(help="Only tasks of this agent.", autocompletion=completion.agents)
]
Since = Annotated[
    str | None, typer.Option(help="Only what moved since: 15m, 1h, 7d ago, or a time (ISO 8601).")
]
Until = Annotated[str | None, typer.Option(help="Only what moved up to then; as --since.")]
Principal = Annotated[str | None, typer.Option(help="Only tasks of this principal.")]
Where = Annotated[list[str] | None, typer.Option(help="TAG=VALUE: only tasks with this tag.")]
Limit = Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)]
Cursor = Annotated[str | None, typer.Option(help="Go on where another page ended.")]
AtMost = Annotated[int | None, typer.Option(help="How many at most.", min=1)]
Rate = Annotated[float | None, typer.Option(help="How many in a second at most.", min=0.01)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Everything = Annotated[bool, typer.Option("--all", help="All pages, one after the other.")]


def tags_of(pairs: Sequence[str] | None) -> dict[str, str]:
    """Return TAG=VALUE pairs as tags; raises UsageError for what is no pair, or given twice."""
    tags: dict[str, str] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or key in tags:
            message = f"{pair!r} is {'given twice' if key in tags else 'no TAG=VALUE'}"
            raise UsageError(message, hint="tenant=acme: each tag once.")
        tags[key] = value
    return tags


def check(**given: Any) -> None:
    """Raise UsageError for filters that cannot be, before anything is asked."""
    TaskFilter.of(now_ms=0, **given)


def say_what_is_left(
    shown: int, total: int | None, cursor: str | None, looked_back_to: str | None
) -> None:
    """Say on stderr how many there are, and how to see more of them."""
    if cursor is None:
        if total is not None and total > shown:
            note(f"{shown} of {total}", dim=True)
        return
    of = "more, how many is not counted" if total is None else f"{total}"
    back = "" if looked_back_to is None else f"; looked back to {looked_back_to}"
    note(f"{shown} of {of}{back}; --all, or go on with --cursor {cursor}", dim=True)
