"""`sqswarm agents`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sqswarm.infra.cli.output import print_json, print_line, print_table
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.catalogue import CatalogueEntry

if TYPE_CHECKING:
    from sqswarm.dispatcher.old_branches import OldBranch


def agents(context: typer.Context) -> None:
    """List the deployed agents, what they take and what they listen to.

    Of each patch in their code (`ctx.patched`) it says whether the old branch may go, or how many
    tasks under way may still take it.

    Example: sqswarm agents --json
    """
    session = session_of(context)
    with session.swarm() as swarm:
        entries, paused = swarm.agents(), swarm.paused()
    patches = _patches(session) if any(entry.patches for entry in entries) else {}
    if session.json:
        told = {name: one.to_json() for name, one in paused.items()}
        print_json(
            [
                {
                    **entry.to_json(),
                    "paused": told.get(entry.name),
                    "patches": [one.to_json() for one in patches.get(entry.name, ())],
                }
                for entry in entries
            ]
        )
        return
    print_table(
        ["agent", "arguments", "topics", "publishes", "calls", "mode", "does"],
        [
            (
                f"{entry.name} (paused)" if entry.name in paused else entry.name,
                _signature(entry),
                ", ".join(s.topic + (f"[{'|'.join(s.types)}]" if s.types else "")
                          for s in entry.subscriptions),
                entry.publishes or "",
                "every agent" if entry.calls is None else ", ".join(entry.calls),
                entry.durability.value + (", ordered" if entry.ordered else ""),
                (entry.description.splitlines() or [""])[0],
            )
            for entry in entries
        ],
    )  # fmt: skip
    for agent, found in patches.items():
        for one in found:
            print_line(f"{agent}, {one}")


def _patches(session: Session) -> dict[str, tuple[OldBranch, ...]]:
    from sqswarm.backends.runner import run_straight
    from sqswarm.dispatcher.old_branches import old_branches

    return run_straight(old_branches(session.connection()))


def _signature(entry: CatalogueEntry) -> str:
    required = set(entry.input_schema.get("required", []))
    names = entry.input_schema.get("properties", {})
    return " ".join(name if name in required else f"[{name}]" for name in names)
