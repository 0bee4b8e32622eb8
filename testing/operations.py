"""Operations: what a write of the task protocol is called, read from what only it sets."""

from __future__ import annotations

from typing import Any

from sqswarm.schemas.join import PART
from sqswarm.schemas.journal import entries
from sqswarm.schemas.protocol import STEP_PREFIX
from sqswarm.schemas.protocol.singleton import SINGLETON_SORT_KEY
from sqswarm.schemas.signal import name_of as name_of_signal
from sqswarm.schemas.task import TASK_SORT_KEY
from sqswarm.schemas.writes import Add, Drop, Set, Write

_BY_STATUS = {"input_required": "ask", "cancelled": "cancel", "completed": "settle"}


def kind_of(write: Write) -> str:  # noqa: C901, PLR0912 - a table
    """Name the operation of correctness.md that a write is."""
    if write.key.pk.startswith("activity#"):
        return "activity"
    if write.key.pk.startswith("limit#"):
        changed = {type(change) for change in write.changes}
        taken = any(change.name == "takes" for change in write.changes)
        return "take slots" if taken else "renew slots" if Set in changed else "give slots back"
    if write.key.sk == SINGLETON_SORT_KEY:
        return "hold"
    if write.key.sk != TASK_SORT_KEY:
        return f"record {write.key.sk}"
    sets: dict[str, Any] = {c.name: getattr(c, "value", None) for c in write.changes}
    status, phase = sets.get("status"), sets.get("phase")
    if "undo" in sets:
        return "begin undo"
    if any(name.startswith(PART) for name in sets):
        return "join (new)" if "status" in sets else "join"
    if write.inserts:
        if status != "working":
            return f"make {status}"
        return "acquire (new)" if sets["lease_until"] else "create"
    if status in {"cancelled", "failed"} and phase == "waiting":
        return _BY_STATUS.get(status, "fail")
    if phase == "waiting":
        return "plan"
    if phase == "children_done":
        return "fire"
    if phase == "sleeping":
        return "sleep"
    if "waits" in sets:
        return "ask" if status == "input_required" else "receive"
    if phase == "parked":
        return "set aside" if "v" in sets else "park"
    if any(change.name == "paused" for change in write.changes):
        return "pause" if "paused" in sets else "unpause"
    if any(isinstance(c, Drop) for c in write.changes):
        return "count"
    if "answers" in sets:
        return "answer" if "updated" in sets else "signal"
    if status is not None and status != "working":
        return _BY_STATUS.get(status, "fail" if "error" in sets else str(status))
    if phase == "run":
        return "wake" if "attempt" in sets else "resume"
    if any(isinstance(c, Add) for c in write.changes):
        return "acquire"
    if "publishes" in sets:
        return "republish"
    if "untold" in sets:
        return "owe notice"
    if "held" in sets:
        return "let go"
    if "undoable" in sets or "undo_from" in sets:
        return "count undo"
    if "lease_until" in sets:
        return "release" if sets["lease_until"] == 0 else "renew"
    if "state" in sets:
        return "expose"
    if "progress" in sets:
        return "progress"
    if "redriven_as" in sets:
        return "link redriven"
    return "due" if sets.get("due_at") else "clear due"


_SHOWN = {"acquire (new)": "acquire", "make completed": "settle", "make failed": "fail"}


def name_of(write: Write) -> str:
    """Name a write as a test names it: `step charge`, `ask approve`, `sleep 0`, `children`."""
    if write.key.sk.startswith(STEP_PREFIX):
        undone = any(change.name == "undone" for change in write.changes)
        kind = "undo" if undone else "step"
        return operation_name(f"{kind} {write.key.sk.removeprefix(STEP_PREFIX)}")
    kind = kind_of(write)
    if kind == "plan":
        return "children"
    if kind in {"ask", "receive", "sleep"}:
        waits = [c.value for c in write.changes if isinstance(c, Set) and c.name == "waits"]
        last = entries(str(waits[0]))[-1:] if waits else []
        return " ".join([kind, *(name_of_signal(str(entry["name"])) for entry in last)])
    return _SHOWN.get(kind, kind)


def operation_name(name: str) -> str:
    """Return the journal's name of an operation as a test writes it: a first use has no number."""
    return "children" if name.startswith("child ") else name.removesuffix("#0")
