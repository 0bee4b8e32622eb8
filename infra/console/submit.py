"""Submit: a task for an agent, by a form made from the agent's schema."""

from __future__ import annotations

from sqswarm.infra.console.frame import View
from sqswarm.infra.console.states import empty


async def show(view: View) -> None:
    """Build the page."""
    del view
    empty("Choose an agent.")
