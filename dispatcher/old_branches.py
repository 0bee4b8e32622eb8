"""Old branches: which tasks under way may still need the old branch of a patch (`ctx.patched`).

A run takes the old branch where its task had passed the place before the patch was there, and that
is recorded nowhere: only the new branch is. So a task may need it that began before the patch was
deployed (the catalogue knows since when), has not ended, and has not gone by the new branch. It is
an upper bound: one that has not come to the place yet is counted until it does, or ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas.journal import PATCH, entries
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import PATCH_PREFIX
from sqswarm.schemas.task import TaskRecord, iso
from sqswarm.schemas.task_filter import TaskFilter
from sqswarm.schemas.writes import Key

_PAGE = 100
_PAGES = 50
"""As far as an agent's tasks are looked through, of each status: 5,000."""
_OLD_WORKERS_MS = 15 * 60_000
"""How long a worker that took a batch with the old code may still begin its tasks after the
deployment. Source: Lambda's longest time-out."""


@dataclass(frozen=True, kw_only=True)
class OldBranch:
    """One patch of an agent: how many `tasks` may need its old branch, `oldest_ms` the first.

    `more`: there are more tasks under way than were looked through, so that nobody knows.
    """

    patch: str
    since_ms: int
    tasks: int
    oldest_ms: int | None = None
    more: bool = False

    @property
    def may_go(self) -> bool:
        """Tell whether the question and its old branch may be taken out of the code."""
        return not self.tasks and not self.more

    def __str__(self) -> str:
        """Say which patch, and whether it may go."""
        if self.may_go:
            return f"patch {self.patch}: may go (no task under way began before {self._since})"
        tasks = "1 task" if self.tasks == 1 else f"{self.tasks:,} tasks"
        count = f"{tasks} may still take the old branch"
        oldest = f", the oldest of {iso(self.oldest_ms)}" if self.oldest_ms is not None else ""
        more = "; there are more under way than were counted" if self.more else ""
        return f"patch {self.patch}: {count}{oldest}{more}"

    @property
    def _since(self) -> str:
        return iso(self.since_ms)

    def to_json(self) -> JsonObject:
        """Return the fields."""
        return {
            "name": self.patch,
            "since": self._since,
            "mayGo": self.may_go,
            "tasks": self.tasks,
            "oldest": None if self.oldest_ms is None else iso(self.oldest_ms),
            "more": self.more,
        }


async def old_branches(connection: Connection) -> dict[str, tuple[OldBranch, ...]]:
    """Return, for each agent whose code has patches, what each one's old branch is needed for.

    An agent's tasks under way are listed, a page a hundred, and one BatchGetItem a hundred tasks
    and patches tells which have recorded the new branch. Agents without patches cost nothing.
    """
    patched = connection.catalogue.patched
    return {agent: await _of_agent(connection, agent, patched[agent]) for agent in patched}


async def _of_agent(
    connection: Connection, agent: str, patches: Mapping[str, int]
) -> tuple[OldBranch, ...]:
    records, more = await under_way(connection, agent)
    told = []
    for patch, since_ms in sorted(patches.items()):
        before = [one for one in records if _may_be_older(one, since_ms)]
        left = await _without(connection, before, patch)
        oldest = min((one.created_ms for one in left), default=None)
        told.append(
            OldBranch(patch=patch, since_ms=since_ms, tasks=len(left), oldest_ms=oldest, more=more)
        )
    return tuple(told)


async def under_way(connection: Connection, agent: str) -> tuple[list[TaskRecord], bool]:
    """Return an agent's tasks that have begun and not ended, and whether there are more."""
    found: dict[str, TaskRecord] = {}
    more = False
    for status in (Status.INPUT_REQUIRED, Status.WORKING):
        cursor = None
        for _ in range(_PAGES):
            wanted = TaskFilter(status=status, agent=agent)
            page = await list_tasks(connection, wanted, limit=_PAGE, cursor=cursor)
            found.update({view.id: view.record for view in page if not view.record.unbegun})
            cursor = page.cursor
            if cursor is None:
                break
        more = more or cursor is not None
    return [*found.values()], more


def _may_be_older(record: TaskRecord, since_ms: int) -> bool:
    """Tell whether a task's journal may have begun before the patch was deployed.

    One that was redriven from a step has been given the journal of an older one.
    """
    return record.created_ms < since_ms + _OLD_WORKERS_MS or record.copied is not None


async def _without(
    connection: Connection, records: Iterable[TaskRecord], patch: str
) -> list[TaskRecord]:
    """Return the tasks that have not recorded the new branch of a patch."""
    left = [one for one in records if not _took_new(one, patch)]
    keys = {one.task_id: Key(pk=one.key.pk, sk=f"{PATCH_PREFIX}{patch}") for one in left}
    found = await connection.store.read_many([*keys.values()])
    return [one for one in left if keys[one.task_id] not in found]


def _took_new(record: TaskRecord, patch: str) -> bool:
    return any(entry["kind"] == PATCH and entry["name"] == patch for entry in entries(record.waits))
