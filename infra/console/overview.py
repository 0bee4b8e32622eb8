"""Overview: how the swarm does, live."""

from __future__ import annotations

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.states import empty


async def show(view: View) -> None:
    """Build the page."""
    del view
    empty("Nothing to show yet.")
