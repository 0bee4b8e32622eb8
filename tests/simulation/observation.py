"""What the invariants look at: a world that has come to rest, or should have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulation.callers import Callers
from simulation.history import History
from simulation.senders import Senders
from simulation.world import NAMES, World
from sqswarm.backends.runner import BlockingRunner, run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TASK_SORT_KEY, task_of
from sqswarm.schemas.task_filter import TaskFilter
from sqswarm.schemas.writes import Item

_PAGE = 7
"""So few that most listings take several pages."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A storm that is over. `quiet`: nothing was left to do."""

    world: World
    callers: Callers
    senders: Senders
    quiet: bool

    @property
    def handles(self) -> list[str]:
        """Return the tasks that somebody got a handle for."""
        return [history.task_id for history in self.world.histories.values() if history.handle]

    def histories(self) -> Iterator[tuple[History, Item]]:
        """Yield every task that has a record."""
        for history in self.world.histories.values():
            if history.item is not None:
                yield history, history.item

    def listed(self, status: Status | None) -> list[str]:
        """Return the tasks of a listing, page by page, as an operator has them."""
        connection = Connection(
            names=NAMES,
            store=self.world.store,
            bus=self.world.bus,
            blobs=self.world.blobs,
            runner=BlockingRunner(),
            catalogue=self.world.catalogue,
            principal="operator",
            operator=True,
            ttl_s=1,
        )
        wanted, found, cursor = TaskFilter(status=status), list[str](), None
        while True:
            page = run_straight(list_tasks(connection, wanted, limit=_PAGE, cursor=cursor))
            found += [view.id for view in page]
            cursor = page.cursor
            if cursor is None:
                return found

    def due(self) -> Iterator[str]:
        """Yield the tasks that stand in the sweep index."""
        for key, item in self.world.store.items.items():
            if key.sk == TASK_SORT_KEY and "due_at" in item:
                yield task_of(key)[1]

    def explained(self) -> set[tuple[str, str]]:
        """Return the (agent, task id) of which a dead letter with a reason lies there."""
        return {
            (name, attributes["task_id"])
            for name in self.world.agents
            for _, attributes in self.world.bus.letters(NAMES.dead_letter_queue(name))
            if attributes.get("reason") and "task_id" in attributes
        }
