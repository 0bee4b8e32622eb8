"""`sqswarm cost`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.backends.aws.chunks import chunks
from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.ledger import GROUPS, LedgerEntry, Total, day_of, entries_of, totals
from sqswarm.schemas.pricing import MICRO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqswarm.dispatcher.connection import Connection

_DAY_MS = 24 * 3600 * 1000
_AT_ONCE = 100
_SHOWN = {"task": "task_id"}


def cost(
    context: typer.Context,
    *,
    by: Annotated[
        str, typer.Option(help="Sums by any of day, agent, model, principal, task.")
    ] = "agent,model,day",
    days: Annotated[int, typer.Option(help="How many days back, today included.", min=1)] = 7,
    agent: Annotated[
        str | None, typer.Option(help="Only this agent.", autocompletion=completion.agents)
    ] = None,
) -> None:
    """Show what Claude agents spent: tokens and dollars, from the ledger.

    Example: sqswarm cost --by day,model --days 30
    """
    session = session_of(context)
    groups = tuple(_SHOWN.get(word.strip(), word.strip()) for word in by.split(","))
    unknown = [group for group in groups if group not in GROUPS]
    if unknown:
        message = f"costs have no {unknown[0]!r}"
        raise UsageError(message, hint="Choose of day, agent, model, principal and task.")
    from sqswarm.backends.runner import run_straight

    connection = session.connection()
    agents = connection.catalogue.names if agent is None else (agent,)
    found = run_straight(entries_since(connection, agents, days=days))
    sums = totals(found, groups)
    if session.json:
        print_json([one.to_json(groups) for one in sums])
        return
    rows = [(*one.group, *_cells(one)) for one in sums]
    if len(sums) > 1:
        [whole] = totals(found, ())
        rows.append(("all", *[""] * (len(groups) - 1), *_cells(whole)))
    print_table([*groups, "calls", "input", "cached", "output", "$"], rows)


def _cells(total: Total) -> tuple[str, ...]:
    tokens = total.tokens
    return (
        f"{total.calls:,}",
        f"{tokens.input + tokens.cache_write:,}",
        f"{tokens.cache_read:,}",
        f"{tokens.output:,}",
        f"{total.micro_usd / MICRO:.4f}",
    )


async def entries_since(
    connection: Connection, agents: Sequence[str], *, days: int
) -> list[LedgerEntry]:
    """Return the agents' entries of the last `days` days (UTC), the oldest day first."""
    found: list[LedgerEntry] = []
    now_ms = connection.runner.now_ms()
    every = [day_of(now_ms - back * _DAY_MS) for back in range(days - 1, -1, -1)]
    keys = [entries_of(agent, day) for day in every for agent in agents]
    for some in chunks(keys, _AT_ONCE):
        groups = await connection.runner.gather([connection.store.read_group(key) for key in some])
        found += [LedgerEntry.from_item(item) for items in groups for item in items]
    return found
