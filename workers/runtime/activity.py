"""Activity: what a batch did, told in the calls that acquire and settle it, and in none of its own.

A task's begin is told with its acquire. Ends wait for the last settle of their batch, and a lean
task, which no acquire writes down, is told of with the first: so one item tells of many tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sqswarm.schemas.activity import Began, Ended, Entry, activity_write
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.writes import Write, WriteOutcome

if TYPE_CHECKING:  # it holds this one
    from sqswarm.workers.runtime.worker_context import WorkerContext

_KEPT = 100
"""Entries that wait for a call, at most: the oldest are given up before a table that is down."""


class ActivityLog:
    """What no call has told yet of what this process did."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: list[Entry] = []
        self._unlisted = False

    def add(self, entries: Iterable[Entry], *, unlisted: bool = False) -> None:
        """Tell of something with a later call; with the next one where a task is `unlisted`."""
        before = len(self._entries)
        self._entries += entries
        self._unlisted |= unlisted and len(self._entries) > before
        del self._entries[:-_KEPT]

    def take(self, *, last: bool) -> list[Entry]:
        """Return what is to be told now. A begin whose end is told beside it says nothing more."""
        if not (last or self._unlisted):
            return []
        ended = {entry.task_id for entry in self._entries if isinstance(entry, Ended)}
        taken = [e for e in self._entries if isinstance(e, Ended) or e.task_id not in ended]
        self._entries, self._unlisted = [], False
        return taken


async def write_with_activity(
    worker: WorkerContext,
    writes: Sequence[Write],
    entries: Sequence[Entry],
    *,
    last: Callable[[], bool] = lambda: True,
) -> list[WriteOutcome | Exception]:
    """Carry out each write, as the store's `write_each` does, and tell of `entries` beside them.

    They wait for a later call where there is nothing to write, or more of the batch is to come:
    `last`, asked as the call goes out, says whether. Where the telling fails, that is tried again
    later: it costs no task anything.
    """
    log = worker.activity
    log.add(entries)
    taken = log.take(last=last()) if writes else []
    if not taken:
        return await worker.store.write_each(writes)
    now = worker.now_ms()
    told = activity_write(
        worker.spec.name,
        taken,
        at_ms=now,
        random=new_version(worker.runner.random_bits),
        expires_s=worker.expires_s(),
    )
    # First: whoever sees a record finds it in a list.
    outcome, *outcomes = await worker.store.write_each([told, *writes])
    if isinstance(outcome, Exception):
        log.add(taken, unlisted=any(isinstance(entry, Began) for entry in taken))
        worker.log.warning("activity.failed", error=repr(outcome))
    return outcomes
