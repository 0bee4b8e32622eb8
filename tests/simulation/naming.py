"""What a story calls a write: the operation of correctness.md that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqswarm.schemas.task import TASK_SORT_KEY
from sqswarm.schemas.writes import Add, Drop, Key, Write

_BY_STATUS = {"input_required": "ask", "cancelled": "cancel", "completed": "settle"}


def kind_of(write: Write) -> str:  # noqa: C901, PLR0912 - a table
    """Name the operation that a write is, by what only it sets."""
    if write.key.pk.startswith("activity#"):
        return "activity"
    if write.key.sk != TASK_SORT_KEY:
        return f"record {write.key.sk}"
    sets: dict[str, Any] = {c.name: getattr(c, "value", None) for c in write.changes}
    status, phase = sets.get("status"), sets.get("phase")
    if write.inserts:
        if status != "working":
            return f"make {status}"
        return "acquire (new)" if sets["lease_until"] else "create"
    if phase == "waiting":
        return "plan"
    if phase == "children_done":
        return "fire"
    if phase == "sleeping":
        return "sleep"
    if any(isinstance(c, Drop) for c in write.changes):
        return "count"
    if "answers" in sets:
        return "answer"
    if status is not None and status != "working":
        return _BY_STATUS.get(status, "fail" if "error" in sets else str(status))
    if phase == "run":
        return "wake"
    if any(isinstance(c, Add) for c in write.changes):
        return "acquire"
    if "publishes" in sets:
        return "republish"
    if "lease_until" in sets:
        return "release" if sets["lease_until"] == 0 else "renew"
    if "progress" in sets:
        return "progress"
    if "redriven_as" in sets:
        return "link redriven"
    return "due" if sets.get("due_at") else "clear due"


def subject_of(keys: Sequence[Key]) -> str:
    """Return the task ids that a request is about."""
    if len(keys) == 1:
        return keys[0].pk.rpartition("#")[2]
    return " ".join({key.pk.rpartition("#")[2]: None for key in keys})
