"""Operations of a join: an event opens its task's record, the others are added while it sleeps."""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.join import PART
from sqswarm.schemas.lifecycle import Phase
from sqswarm.schemas.protocol.run import WORKING, create
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Eq, Key, Missing, Set, Write


def open_join(record: TaskRecord, *, argument: str, text: str) -> Write:
    """Make the record of a join with its first event, if there is none."""
    write = create(record)
    return replace(write, changes=(*write.changes, Set(PART + argument, text)), blind=True)


def add_part(key: Key, *, argument: str, text: str, now_ms: int) -> Write:
    """Add an event to a join that has none of its topic, and that has not been woken."""
    return Write(
        key=key,
        when=(WORKING, Eq("phase", Phase.SLEEPING.value), Missing(PART + argument)),
        changes=(Set(PART + argument, text), Set("updated", now_ms)),
    )
