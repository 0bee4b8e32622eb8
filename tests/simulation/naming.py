"""What a story calls a write: the operation of correctness.md that it is."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.schemas.writes import Key
from sqswarm.testing.operations import kind_of

__all__ = ["kind_of", "subject_of"]


def subject_of(keys: Sequence[Key]) -> str:
    """Return the task ids that a request is about."""
    if len(keys) == 1:
        return keys[0].pk.rpartition("#")[2]
    return " ".join({key.pk.rpartition("#")[2]: None for key in keys})
