"""Undo: how a task is to end once its recorded steps are undone, as its record keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.results import error_object
from sqswarm.schemas.value import dataclass

UNDO_ATTEMPTS = 5
"""Attempts at one undo, at least: those that a task's agent has, where it has more."""

UNDO_FAILED = "UndoFailed"
"""The type of the error of a task that could not be undone."""

GIVEN_UP = "cancelled while it could not be undone"
"""What is told of a task that was cancelled once more while its undo was parked."""

LEASE_HELD = "held"
"""The attribute with the version of an attempt that ran on when its task was cancelled."""


@dataclass(frozen=True, kw_only=True)
class Undoing:
    """How a task ends once it is undone: `error` says why it failed, None: it was cancelled."""

    error: JsonObject | None
    at_ms: int

    @property
    def then(self) -> str:
        """Return the status it ends with."""
        return "cancelled" if self.error is None else "failed"

    def text(self) -> str:
        """Return what the record keeps."""
        return dumps({"error": self.error, "at": self.at_ms})

    @classmethod
    def from_text(cls, text: str) -> Undoing:
        """Return what `text` wrote."""
        kept = loads(text)
        return cls(error=kept["error"], at_ms=kept["at"])

    def told(self) -> str:
        """Return on one line how it ends."""
        if self.error is None:
            return "cancelled"
        kind = (self.error.get("data") or {}).get("type", "failed")
        return f"failed: {kind}: {self.error.get('message', '')}"

    def failed(self, why: str, *, attempt: int, left: Sequence[str] | None = None) -> JsonObject:
        """Return the error of a task that cannot be undone: why, and what is `left` undone.

        Steps are named as their agent does, the last first. `left` None: nobody has looked.
        """
        told = f"; not undone: {', '.join(left)}" if left else ""
        text = f"{why}{told}; the task was to end {self.told()}"
        error = error_object(UNDO_FAILED, text, attempt=attempt)
        kept: JsonObject = {"then": self.then}
        if left is not None:
            kept["left"] = list(left)
        if self.error is not None:
            kept["error"] = self.error
        error["data"]["undo"] = kept
        return error


def shown_step(full: str) -> str:
    """Return a step's name as its agent gave it: a second use of it is `name (2)`."""
    plain, _, uses = full.rpartition("#")
    return plain if uses == "0" else f"{plain} ({int(uses) + 1})"
