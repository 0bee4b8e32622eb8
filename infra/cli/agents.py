"""`sqswarm agents`."""

from __future__ import annotations

import typer

from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.catalogue import CatalogueEntry


def agents(context: typer.Context) -> None:
    """List the deployed agents, what they take and what they listen to.

    Example: sqswarm agents --json
    """
    session = session_of(context)
    with session.swarm() as swarm:
        entries, paused = swarm.agents(), swarm.paused()
    if session.json:
        told = {name: one.to_json() for name, one in paused.items()}
        print_json([{**entry.to_json(), "paused": told.get(entry.name)} for entry in entries])
        return
    print_table(
        ["agent", "arguments", "topics", "calls", "mode", "does"],
        [
            (
                f"{entry.name} (paused)" if entry.name in paused else entry.name,
                _signature(entry),
                ", ".join(s.topic + (f"[{'|'.join(s.types)}]" if s.types else "")
                          for s in entry.subscriptions),
                "every agent" if entry.calls is None else ", ".join(entry.calls),
                entry.durability.value + (", ordered" if entry.ordered else ""),
                (entry.description.splitlines() or [""])[0],
            )
            for entry in entries
        ],
    )  # fmt: skip


def _signature(entry: CatalogueEntry) -> str:
    required = set(entry.input_schema.get("required", []))
    names = entry.input_schema.get("properties", {})
    return " ".join(name if name in required else f"[{name}]" for name in names)
