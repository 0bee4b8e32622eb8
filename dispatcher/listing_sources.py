"""Where listings look: agents' activity, the status index, and what housekeeping looks after.

Each is read backwards in time, one request a reading. What they tell may be out of date: they say
where to look, the record says what is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqswarm.backends.ports.store import Index, Page, Store
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.schemas.activity import (
    Ended,
    activity_partition,
    entries_of,
    marks,
    moment,
    moment_ms,
)
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import PARKED, listed_under, place_mark
from sqswarm.schemas.tags import wears
from sqswarm.schemas.task import DUE_SHARDS, task_key, task_of
from sqswarm.schemas.task_filter import TaskFilter
from sqswarm.schemas.writes import Item, Key

_INDEXED = 1000
_ACTIVE = 200
_DUE = 100
_LEAST = 25
"""Items of one reading at most: of all indexes together, of all agents' activity, of one shard of
the sweep index; and of each agent at least."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A task to look at. `ended` where an entry says how; `due` where only the sweep names it."""

    place: str
    key: Key
    ended: Status | None = None
    due: bool = False

    @property
    def task_id(self) -> str:
        """Return the task's id."""
        return task_of(self.key)[1]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Candidates from a place backwards; `reaches` is how far all are known ("": to the end)."""

    candidates: tuple[Candidate, ...]
    reaches: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """One partition of one index. `exact`: each task stands in it once, and as it is."""

    index: Index
    partition: str
    limit: int
    exact: bool
    candidates: Callable[[TaskFilter, Sequence[Item]], list[Candidate]]

    async def read(self, store: Store, wanted: TaskFilter, below: str) -> Reading:
        """Read once, from below a place."""
        if self.index is not Index.SWEEP:
            page = await store.newest(self.index, self.partition, until=below, limit=self.limit)
            last = page.items[-1][self.index.keys[1]] if page.more and page.items else ""
            return self._reading(page, wanted, below, str(last))
        until = moment_ms(below) + DUE_GRACE_MS
        page = await store.newest(self.index, self.partition, until=until, limit=self.limit)
        last = ""
        if page.more and page.items:
            # Others may be due in the same millisecond: it is read again, if there is progress.
            at_ms = page.items[-1]["due_at"] - DUE_GRACE_MS
            last = moment(at_ms + 1) if moment(at_ms + 1) < below else moment(at_ms)
        return self._reading(page, wanted, below, last)

    def _reading(self, page: Page, wanted: TaskFilter, below: str, last: str) -> Reading:
        found = [one for one in self.candidates(wanted, page.items) if one.place < below]
        return Reading(candidates=tuple(found), reaches=last)

    def shorter(self, limit: int) -> Source:
        """Return this source with fewer items a reading."""
        return replace(self, limit=min(self.limit, limit))


def sources_of(wanted: TaskFilter, agents: Sequence[str]) -> list[Source]:
    """Return where tasks that a filter wants can be, those of `agents`."""
    if wanted.parked:
        return [_index_source(PARKED, agent, share=len(agents)) for agent in agents]
    statuses = {Status.FAILED} if wanted.error_type is not None else set(Status)
    if wanted.status is not None:
        statuses &= {wanted.status}
    elif len(statuses) > 1:
        statuses.discard(Status.INPUT_REQUIRED)  # who asks has begun: the activity has it
    found: list[Source] = []
    listed = [one for one in Status if one in statuses & _LISTED]
    for agent in agents:
        share = len(agents) * len(listed)
        found += [_index_source(status, agent, share=share) for status in listed]
        if statuses - _LISTED:
            found.append(
                Source(
                    index=Index.TABLE,
                    partition=activity_partition(agent),
                    limit=max(_LEAST, _ACTIVE // len(agents)),
                    exact=False,
                    candidates=_active(agent),
                )
            )
    if Status.WORKING in statuses:
        found += [
            Source(
                index=Index.SWEEP,
                partition=f"due#{shard}",
                limit=_DUE,
                exact=False,
                candidates=_due(set(agents)),
            )
            for shard in range(DUE_SHARDS)
        ]
    return found


def _index_source(status: Status | str, agent: str, *, share: int) -> Source:
    """Return where an agent's tasks of a status stand, one of `share` that are read together."""
    return Source(
        index=Index.STATUS,
        partition=listed_under(status, agent),
        limit=max(_LEAST, _INDEXED // share),
        exact=True,
        candidates=_listed,
    )


_LISTED = {Status.FAILED, Status.CANCELLED, Status.INPUT_REQUIRED}


def _listed(wanted: TaskFilter, items: Sequence[Item]) -> list[Candidate]:
    return [
        Candidate(place=item["listed_at"], key=Key(pk=item["pk"], sk=item["sk"]))
        for item in items
        if wanted.principal in {None, item["principal"]}
        and wanted.error_type in {None, item.get("error_type")}
        and wears(loads(item["tags"]) if "tags" in item else {}, wanted.where)
    ]


def _active(agent: str) -> Callable[[TaskFilter, Sequence[Item]], list[Candidate]]:
    def candidates(wanted: TaskFilter, items: Sequence[Item]) -> list[Candidate]:
        principals = None if wanted.principal is None else marks(wanted.principal)
        found: list[Candidate] = []
        for item in items:
            for number, entry in reversed([*enumerate(entries_of(item))]):
                ended = entry.status if isinstance(entry, Ended) else None
                tags: Any = entry.tags if isinstance(entry, Ended) else {}
                if principals is not None and entry.principal not in principals:
                    continue
                if not tags or wears(tags, wanted.where):
                    place = f"{item['sk']}#{number:03d}"
                    key = task_key(agent, entry.task_id)
                    found.append(Candidate(place=place, key=key, ended=ended))
        return found

    return candidates


def _due(agents: set[str]) -> Callable[[TaskFilter, Sequence[Item]], list[Candidate]]:
    def candidates(_: TaskFilter, items: Sequence[Item]) -> list[Candidate]:
        found: list[Candidate] = []
        for item in items:
            key = Key(pk=item["pk"], sk=item["sk"])
            agent, task_id = task_of(key)
            if agent in agents:
                place = moment(item["due_at"] - DUE_GRACE_MS, place_mark(task_id))
                found.append(Candidate(place=place, key=key, due=True))
        return found

    return candidates
