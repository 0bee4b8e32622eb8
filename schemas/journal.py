"""What a task has waited for: the journal in its record, and the plan of its children.

The journal is JSON text in the record's `waits`, one entry a wait, `at` the time it began. The last
entry of kind `children` is the plan: it says which children exist, so that whoever finds a waiting
parent can create them. Only the plan keeps its children's arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from sqswarm.schemas.ids import created_ms, derive_task_id
from sqswarm.schemas.json import JsonObject, canonical, dumps, loads, size_bytes
from sqswarm.schemas.signal import is_signal
from sqswarm.schemas.value import dataclass

DEPTH_LIMIT = 10
"""How deep tasks may start tasks: an agent that calls itself for ever ends here."""

SLEEP_LIMIT_S = 366 * 24 * 3600
"""Longest sleep of a task, and longest delay of a new one."""

WIDTH_LIMIT = 10_000
"""Children of one wait: their numbers are a set in the record (400 KB in all)."""

PLAN_INLINE_LIMIT_BYTES = 4096
"""A larger plan is a claim check: every count of a child is billed by the record's size."""

RECEIVE = "receive"
"""Kind of an entry that waits for a signal; `name` is the key it will lie under."""

PATCH = "patch"
"""Kind of an entry that is no wait: the task goes by the new branch of this patch."""

REUSED_OF = "of"
"""In a plan's child: the task that started it, where this one was redriven and only reuses it."""

COPIED = "copied"
"""In an entry, or on a step: it is of the task that this one was redriven from."""

WAITS_LIMIT_BYTES = 200 * 1024
"""A journal over this fails its task: it shares the item's 400 KB with arguments and result."""


@dataclass(frozen=True, kw_only=True)
class PlannedChild:
    """One child task as its parent planned it. `key` names it within the parent, for ever."""

    key: str
    agent: str
    arguments: JsonObject
    ordering_key: str | None = None
    session_id: str | None = None

    def to_json(self) -> JsonObject:
        """Return what the plan keeps."""
        kept: JsonObject = {"key": self.key, "agent": self.agent, "arguments": self.arguments}
        if self.ordering_key is not None:
            kept["orderingKey"] = self.ordering_key
        if self.session_id is not None:
            kept["sessionId"] = self.session_id
        return kept

    @classmethod
    def from_json(cls, kept: JsonObject) -> PlannedChild:
        """Return the child that `to_json` wrote."""
        return cls(
            key=kept["key"],
            agent=kept["agent"],
            arguments=kept["arguments"],
            ordering_key=kept.get("orderingKey"),
            session_id=kept.get("sessionId"),
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in its run an operation was met: its number, and whether nothing ran beside it."""

    position: int
    alone: bool


def child_key(agent: str, arguments: JsonObject, occurrence: int) -> str:
    """Return a child's key: what is called with what, and how often that was before.

    Not its position: branches that run side by side may reach their calls in another order on
    a replay, and must find their own children again.
    """
    digest = sha256(canonical(arguments).encode()).hexdigest()[:12]
    return f"{agent}.{digest}.{occurrence}"


def child_id(parent_id: str, key: str) -> str:
    """Return the task id of a parent's child: a repeat makes the same."""
    return derive_task_id(parent_id, key, at_ms=created_ms(parent_id))


def planned_id(task_id: str, planned: JsonObject) -> str:
    """Return the id of a child as a plan keeps it; one that was reused is another task's child."""
    return child_id(planned.get(REUSED_OF, task_id), planned["key"])


def agent_of_child(key: str) -> str:
    """Return whose task a child is, by its key: `<agent>.<digest>.<number>`."""
    return key.rsplit(".", 2)[0]


def parent_of(parent: str) -> tuple[str, int]:
    """Return the parent's id and the child's number in it, of a record's or message's `parent`."""
    task_id, _, number = parent.partition("#")
    return task_id, int(number)


def entries(waits: str | None) -> list[JsonObject]:
    """Return the journal's entries, oldest first."""
    return [] if waits is None else list(loads(waits))


def plan_text(children: Sequence[PlannedChild]) -> str:
    """Return the JSON text of a plan's children."""
    return dumps([child.to_json() for child in children])


def with_children(
    waits: str | None,
    children: Sequence[PlannedChild],
    *,
    ref: str | None,
    first: int,
    at: Place,
    now_ms: int,
) -> str:
    """Return the journal with a new plan, whose children lie at `ref` or (None) inline."""
    entry: JsonObject = {**_entry("children", at, now_ms), "first": first}
    if ref is None:
        entry["children"] = [child.to_json() for child in children]
    else:
        entry["ref"] = ref
    return dumps([*(_shortened(old) for old in entries(waits)), entry])


def with_sleep(
    waits: str | None, names: Iterable[tuple[str, int]], *, at: Place, now_ms: int
) -> str:
    """Return the journal with sleeps: each one's name, and when it is over (Unix ms)."""
    new = [{**_entry("sleep", at, now_ms), "name": name, "until": until} for name, until in names]
    return dumps([*entries(waits), *new])


def with_asks(waits: str | None, names: Iterable[str], *, at: Place, now_ms: int) -> str:
    """Return the journal with questions, and with waits for signals."""
    new = [
        {**_entry(RECEIVE if is_signal(name) else "ask", at, now_ms), "name": name}
        for name in names
    ]
    return dumps([*entries(waits), *new])


def with_patches(waits: str | None, names: Iterable[str], *, now_ms: int) -> str | None:
    """Return the journal with the patches whose new branch a run has taken."""
    new = [{"kind": PATCH, "name": name, "at": now_ms} for name in names]
    return dumps([*entries(waits), *new]) if new else waits


def is_too_long(waits: str) -> bool:
    """Tell whether a journal is over its limit."""
    return size_bytes(waits) > WAITS_LIMIT_BYTES


def plan_entry(waits: str | None) -> JsonObject | None:
    """Return the plan: the last entry of kind `children`."""
    plans = [entry for entry in entries(waits) if entry["kind"] == "children"]
    return plans[-1] if plans else None


def _entry(kind: str, at: Place, now_ms: int) -> JsonObject:
    return {"kind": kind, "position": at.position, "alone": at.alone, "at": now_ms}


def _shortened(entry: JsonObject) -> JsonObject:
    if "children" not in entry:
        return entry
    kept = ("key", REUSED_OF)
    children = [{n: child[n] for n in kept if n in child} for child in entry["children"]]
    return {**entry, "children": children}
