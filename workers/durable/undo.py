"""Undo: what a run that undoes has met of what there is to undo.

Undo functions are code, so a run replays its agent up to the recorded steps, which brings them,
and goes no further: once it has met all that is to be undone, it stands still where it is. What the
agent has open there (a client, a file) is open for its undos too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqswarm.schemas.undo import Undoing
from sqswarm.schemas.value import dataclass

if TYPE_CHECKING:
    from sqswarm.workers.durable.journal_entry import JournalEntry


@dataclass(frozen=True, kw_only=True)
class StepUndo:
    """One recorded step's undo: `name` is the step's in the journal, `number` when it ended."""

    name: str
    number: int
    call: Callable[[], Any]
    retries: int


class Undo:
    """One run's. `left` is what is recorded and not undone, by its name, once that is read."""

    def __init__(self, undoing: Undoing) -> None:
        """Begin the undo of a task that ends as `undoing` says."""
        self.undoing = undoing
        self.left: dict[str, JournalEntry] = {}
        self._met: dict[str, StepUndo] = {}

    def meet(self, name: str, call: Callable[[], Any], *, retries: int) -> None:
        """Take what undoes the recorded step `name`, where it is to be undone."""
        if (entry := self.left.get(name)) is not None:
            self._met[name] = StepUndo(name=name, number=entry.undo, call=call, retries=retries)

    @property
    def missing(self) -> list[str]:
        """Return the names of steps to undo that the run has not met, the first first."""
        unmet = [(entry.undo, name) for name, entry in self.left.items() if name not in self._met]
        return [name for _, name in sorted(unmet)]

    def last(self) -> StepUndo | None:
        """Return what is to be undone next: the last that ended, None where nothing is left."""
        return max(
            (self._met[name] for name in self.left), key=lambda one: one.number, default=None
        )

    def names(self) -> list[str]:
        """Return the names of what is left, in the order of its undoing."""
        return sorted(self.left, key=lambda name: -self.left[name].undo)

    def done(self, name: str) -> None:
        """Note that a step is undone."""
        del self.left[name]
