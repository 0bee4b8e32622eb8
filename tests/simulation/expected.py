"""What a script should come to: held against what was recorded."""

from __future__ import annotations

from typing import Any

from simulation.agents import FAILED, MAX_ATTEMPTS
from simulation.scripts import children_of
from sqswarm.schemas.json import loads
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.schemas.writes import Item

ANSWER = "answer"
_LOSSES = {"WorkerLost", "AgentTimedOut", "Unreachable", "UndoFailed"}
"""Failures that a storm may bring to any task."""


def expected(item: Item) -> str:
    """Return what is wrong with a task's end, or nothing."""
    if item["status"] not in {"completed", "failed"} or "arguments" not in item:
        return ""
    script = loads(item["arguments"]).get("script")
    if script is None:  # a join's: another law looks at it
        return ""
    if item["status"] == "failed":
        return _failed(loads(item["error"])["data"]["type"], script, item.get("deadline"))
    value = loads(item["result"])[WRAPPED_KEY]
    for piece, got in zip(script, value, strict=True):
        if not fits(piece, got):
            return f"{piece!r} gave {got!r}"
    return "" if len(value) == len(script) else f"{len(value)} results of {len(script)} pieces"


def _failed(why: str, script: list[str], deadline: str | None) -> str:
    if why in _LOSSES or "fail" in script:
        return ""
    if why == "DeadlineExceeded" and deadline is not None:
        return ""
    kinds = {"raise": "RuntimeError", "retry": "Retry", "hang": "AgentTimedOut"}
    if any(kinds.get(piece.partition(":")[0]) == why for piece in script):
        return ""
    return f"it failed with {why}, which nothing in {script} raises"


def fits(piece: str, got: Any) -> bool:
    """Tell whether a piece of a script may have given this."""
    kind, _, rest = piece.partition(" ")
    kind, _, detail = kind.partition(":")
    match kind:
        case "fail":
            return False
        case "raise" | "retry" | "hang":
            return got == kind and int(detail) < MAX_ATTEMPTS * 10
        case "step":
            return bool(got == ("caught" if detail else "step"))
        case "ask" if detail in {"2", "3"}:
            return bool(got == [ANSWER] * int(detail))
        case "ask":
            late = {"late": {ANSWER, "default"}, "never": {"timed out"}}
            return got in late.get(detail, {ANSWER})
        case "receive":
            return isinstance(got, str if detail == "late" else list)
        case "children":
            scripts = [script for _, script in children_of(rest)]
            return len(got) == len(scripts) and all(map(_child_fits, scripts, got))
        case "both":
            return _child_fits(children_of(rest)[0][1], got[0]) and got[1] == ANSWER
    return bool(got == kind)


def _child_fits(script: tuple[str, ...], got: Any) -> bool:
    if got == FAILED:  # whether it may have failed, its own record tells
        return True
    return len(script) == len(got) and all(map(fits, script, got))
