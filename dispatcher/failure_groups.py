"""Failed tasks by agent and type of error: how many of each, since when, and one to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqswarm.dispatcher.bulk import COUNTED_LIMIT, Act, error_type_of, pages_of
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import iso
from sqswarm.schemas.task_filter import TaskFilter


@dataclass(frozen=True, kw_only=True)
class FailureGroup:
    """Failed tasks of one agent and one type of error. `redriven` of the `count` have been.

    `example` is the newest that was not redriven, or the newest of all.
    """

    agent: str
    error_type: str
    count: int
    redriven: int
    oldest_ms: int
    newest_ms: int
    example: TaskView

    def to_json(self) -> JsonObject:
        """Return the group with its example."""
        return {
            "agent": self.agent,
            "errorType": self.error_type,
            "count": self.count,
            "redriven": self.redriven,
            "oldest": iso(self.oldest_ms),
            "newest": iso(self.newest_ms),
            "example": self.example.to_json(),
        }


class FailureGroups(list[FailureGroup]):
    """Groups, those with most to redrive first. `more`: not all tasks were looked at."""

    def __init__(self, groups: Sequence[FailureGroup], *, more: bool) -> None:
        """Hold `groups`."""
        super().__init__(groups)
        self.more = more


async def group_failures(
    connection: Connection, wanted: TaskFilter, *, limit: int = COUNTED_LIMIT
) -> FailureGroups:
    """Group the failed tasks that match by agent and type of error; `limit` are read at most."""
    found: dict[tuple[str, str], FailureGroup] = {}
    read = 0
    async for views in pages_of(connection, Act.REDRIVE, replace(wanted, status=Status.FAILED)):
        for view in views:
            if read == limit:
                return _most_first(found, more=True)
            read += 1
            record = view.record
            key = record.agent, error_type_of(record)
            group = found.get(key) or FailureGroup(
                agent=key[0],
                error_type=key[1],
                count=0,
                redriven=0,
                oldest_ms=record.updated_ms,
                newest_ms=record.updated_ms,
                example=view,
            )
            is_newer = group.example.record.redriven_as is not None and not record.redriven_as
            found[key] = replace(
                group,
                count=group.count + 1,
                redriven=group.redriven + (record.redriven_as is not None),
                oldest_ms=min(group.oldest_ms, record.updated_ms),
                newest_ms=max(group.newest_ms, record.updated_ms),
                example=view if is_newer else group.example,
            )
    return _most_first(found, more=False)


def _most_first(found: Mapping[tuple[str, str], FailureGroup], *, more: bool) -> FailureGroups:
    groups = sorted(
        found.values(), key=lambda one: (one.redriven - one.count, one.agent, one.error_type)
    )
    return FailureGroups(groups, more=more)
