"""Singleton: a key of which one task is under way at a time, and which task that is.

The item is written together with the task's record. Nobody takes it away: whoever submits next
sees by the record whether that task has ended, and then puts its own in its place.
"""

from __future__ import annotations

from sqswarm.schemas.ids import derive_task_id
from sqswarm.schemas.task import task_key
from sqswarm.schemas.writes import Absent, Condition, Eq, Item, Key, Set, Write

SINGLETON_SORT_KEY = "singleton"
_KEPT_S = 800 * 86_400
"""Longer than any task takes that sleeps for a year and is kept for another."""


def singleton_key(agent: str, principal: str, key: str) -> Key:
    """Return the primary key of what says which task of a principal's is under way."""
    place = derive_task_id(f"{principal}\x00{agent}", f"singleton {key}", at_ms=0)
    return Key(pk=task_key(agent, place).pk, sk=SINGLETON_SORT_KEY)


def hold(key: Key, before: Item | None, *, task_id: str, now_ms: int) -> Write:
    """Say that `task_id` is the one under way, unless somebody has said so since `before`."""
    unchanged: Condition = Absent() if before is None else Eq("task", before["task"])
    return Write(
        key=key,
        when=(unchanged,),
        changes=(Set("task", task_id), Set("ttl", now_ms // 1000 + _KEPT_S)),
    )
