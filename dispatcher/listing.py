"""List: pages of tasks, the newest first, from what is read in order; nothing reads the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing_sources import Candidate, Source, sources_of
from sqswarm.dispatcher.view import TaskView, visible
from sqswarm.schemas.activity import moment, moment_ms
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord, iso
from sqswarm.schemas.task_filter import Cursor, TaskFilter, mark_of, marks_of

_READINGS = 4
"""How often a page reads each of its sources at most."""
_LOOKED_AT = 1000
"""Records that a page reads at most."""
_RECORDS_A_CALL = 100
_TOP = "9" * 13 + "#~"


class TaskPage(list[TaskView]):
    """Some tasks, the newest first.

    `cursor` continues the listing, None where it ended: a page that filters much may be short, or
    empty, and its listing go on. `total` is how many there are in all, where that is known without
    a question of its own. `looked_back_to` is how far back it looked, where it goes on.
    """

    def __init__(
        self,
        tasks: Iterable[TaskView] = (),
        *,
        cursor: str | None = None,
        total: int | None = None,
        looked_back_to: str | None = None,
    ) -> None:
        """Pages are made by `list` and `inbox`."""
        super().__init__(tasks)
        self.cursor = cursor
        self.total = total
        self.looked_back_to = looked_back_to

    def to_json(self) -> JsonObject:
        """Return the page as JSON; what is not known is left out."""
        told = {"cursor": self.cursor, "total": self.total, "lookedBackTo": self.looked_back_to}
        return {
            "tasks": [view.to_json() for view in self],
            **{name: value for name, value in told.items() if value is not None},
        }


async def list_tasks(
    connection: Connection, wanted: TaskFilter, *, limit: int, cursor: str | None = None
) -> TaskPage:
    """Return the newest tasks this principal may see and wants, at most `limit`.

    Newest is what last began, ended, asked or was cancelled. A page reads each source four times
    at most, and a thousand records. Raises UsageError for a cursor of another listing.
    """
    if not connection.operator:
        if wanted.principal not in {None, connection.principal}:
            return TaskPage(total=0)
        wanted = replace(wanted, principal=connection.principal)
    start = None if cursor is None else Cursor.decode(cursor, wanted)
    agents = connection.catalogue.names if wanted.agent is None else (wanted.agent,)
    sources = sources_of(wanted, agents)
    if start is not None:  # no total is made of it: a page's worth will do
        sources = [source.shorter(2 * limit + 1) for source in sources]
    return await _Walk(connection, wanted, sources, limit=limit, start=start).page()


class _Walk:
    """One page: backwards in time through all sources at once."""

    def __init__(
        self,
        connection: Connection,
        wanted: TaskFilter,
        sources: Sequence[Source],
        *,
        limit: int,
        start: Cursor | None,
    ) -> None:
        self._connection = connection
        self._wanted = wanted
        self._sources = sources
        self._limit = limit
        top = _TOP if wanted.until_ms is None else moment(wanted.until_ms + 1)
        self._place = top if start is None else min(top, start.place)
        self._floor = "" if wanted.since_ms is None else moment(wanted.since_ms)
        self._start = start
        self._marks = frozenset[bytes]() if start is None else start.marks
        self._views: list[TaskView] = []
        self._looked_at = 0
        self._ids: list[str] = []
        self._settled: set[str] = set()
        """Tasks that need no second look."""

    async def page(self) -> TaskPage:
        """Walk until the page is full, the listing over, or enough is read."""
        left: list[Candidate] = []
        known = False
        for _ in range(_READINGS):
            reaches, candidates = await self._read()
            left = await self._look(candidates)
            known = not reaches
            if left or self._full:
                break
            if known:
                return self._over()
            self._place = reaches
        if known and not left:
            return self._over()
        return self._goes_on(left, known=known)

    async def _read(self) -> tuple[str, list[Candidate]]:
        """Return how far all sources are known ("": to the end), and what they have up to there."""
        store = self._connection.store
        readings = await self._connection.runner.gather(
            [source.read(store, self._wanted, self._place) for source in self._sources]
        )
        reaches = max((one.reaches for one in readings), default="")
        if reaches <= self._floor:
            reaches = ""
        least = max(reaches, self._floor)
        found = [c for one in readings for c in one.candidates if c.place >= least]
        return reaches, sorted(found, key=lambda c: c.place, reverse=True)

    @property
    def _full(self) -> bool:
        return len(self._views) >= self._limit or self._looked_at >= _LOOKED_AT

    async def _look(self, candidates: list[Candidate]) -> list[Candidate]:
        """Read the records of candidates until the page is full; return those that are left."""
        while candidates and not self._full:
            need = min(self._limit - len(self._views), _RECORDS_A_CALL)
            chosen: dict[str, Candidate] = {}
            looked = 0
            for candidate in candidates:
                if len(chosen) >= need:
                    break
                looked += 1
                known = chosen.get(candidate.task_id)
                if self._is_worth_a_look(candidate) and (known is None or known.due):
                    chosen[candidate.task_id] = candidate
            items = await self._connection.store.read_many([c.key for c in chosen.values()])
            self._looked_at += len(chosen)
            for task_id, candidate in chosen.items():
                record = visible(self._connection, items.get(candidate.key))
                if record is not None and self._fits(record, candidate):
                    self._views.append(TaskView(record=record))
                    self._ids.append(task_id)
                    self._settled.add(task_id)
                elif not candidate.due:
                    self._settled.add(task_id)
            self._place = candidates[looked - 1].place
            candidates = candidates[looked:]
        return candidates

    def _is_worth_a_look(self, candidate: Candidate) -> bool:
        task_id, status = candidate.task_id, self._wanted.status
        if task_id in self._settled or mark_of(task_id) in self._marks:
            return False
        if candidate.ended is None:
            return True
        if status is Status.WORKING:
            self._settled.add(task_id)  # its begin is met later on the way back
            return False
        return status in {None, candidate.ended}

    def _fits(self, record: TaskRecord, candidate: Candidate) -> bool:
        if not self._wanted.fits(record):
            return False
        # What waits for time or children began once, and is listed by that; in a list of what is
        # under way it is met here.
        return not candidate.due or self._wanted.status is not None or record.unbegun

    def _over(self) -> TaskPage:
        shown = len(self._views) + (0 if self._start is None else self._start.shown)
        return TaskPage(self._views, total=shown)

    def _goes_on(self, left: Sequence[Candidate], *, known: bool) -> TaskPage:
        before = self._start
        shown = len(self._views) + (0 if before is None else before.shown)
        total = None if before is None else before.total
        if total is None and known and all(source.exact for source in self._sources):
            total = shown + len(left)
        cursor = Cursor(
            place=self._place, shown=shown, total=total, marks=marks_of(self._ids, self._marks)
        )
        return TaskPage(
            self._views,
            cursor=cursor.encode(self._wanted),
            total=total,
            looked_back_to=iso(moment_ms(self._place)),
        )
