"""What verbs share about tasks: the agent's entry, how a task is shown, its exit code."""

from __future__ import annotations

from sqswarm import Swarm, TaskView
from sqswarm.infra.cli.output import as_text, print_line
from sqswarm.schemas.catalogue import Catalogue, CatalogueEntry
from sqswarm.schemas.lifecycle import Status


def entry_of(swarm: Swarm, agent: str) -> CatalogueEntry:
    """Return a deployed agent's entry; raises UnknownAgent with near names in its hint."""
    return Catalogue(agents={entry.name: entry for entry in swarm.agents()}).agent(agent)


def show_task(view: TaskView) -> None:
    """Print a task as it stands: its facts, then its result or error."""
    facts = view.to_json()
    facts.pop("result", None)
    error = facts.pop("error", None)
    for name, value in facts.items():
        print_line(f"{name:>14}  {value}")
    if view.status is Status.COMPLETED:
        print_line(f"{'result':>14}  {as_text(view.result())}")
    if error is not None:
        kind = (error.get("data") or {}).get("type")
        print_line(f"{'error':>14}  {f'{kind}: ' if kind else ''}{error.get('message', '')}")


def exit_code(status: Status) -> int:
    """Return 1 for a task that ended without a result, else 0."""
    return int(status in {Status.FAILED, Status.CANCELLED})
