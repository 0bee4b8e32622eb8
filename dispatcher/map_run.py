"""MapRun: a handle of one map run, AsyncMapRun run straight through; and Swarm's ways to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqswarm.backends.runner import iterate_straight, run_straight
from sqswarm.dispatcher.async_map_run import AsyncMapRun, AsyncMapRuns
from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.map_results import RunRow
from sqswarm.dispatcher.map_rows import Source
from sqswarm.dispatcher.start_map import ItemKey
from sqswarm.dispatcher.task import Task
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.map_run import UNDER_WAY, RunCounts
from sqswarm.schemas.naming import NamedAgent
from sqswarm.schemas.task_filter import Moment

MakeTask = Callable[[AsyncTask[Any]], Task[Any]]


class MapRun:
    """A handle of one map run: a task, so that nobody has to stay for it."""

    def __init__(self, run: AsyncMapRun, make_task: MakeTask) -> None:
        """Handles are made by Swarm."""
        self._run = run
        self._make_task = make_task
        self.id = run.id

    def __repr__(self) -> str:
        """Show its id."""
        return f"MapRun(id={self.id!r})"

    @property
    def task(self) -> Task[RunCounts]:
        """Return the handle of the task that the run is."""
        return self._make_task(self._run.task)

    def status(self) -> Status:
        """Return the run's status now."""
        return run_straight(self._run.status())

    def counts(self) -> RunCounts:
        """Return how many rows have ended, how fast and how long the rest takes.

        It is read from the records of the tasks that are under way: a few reads.
        """
        return run_straight(self._run.counts())

    def result(self, timeout: float | None = None) -> RunCounts:
        """Wait for the run's end and return its counts.

        `timeout` is seconds, None for ever. Raises TaskFailed where more rows failed than it
        tolerates, TaskCancelled, TimedOut. `results` gives the rows, whatever the end was.
        """
        self.task.result(timeout)
        return self.counts()

    def results(self, *, wait: bool = True) -> Iterator[RunRow]:
        """Yield every row, in the rows' order, as their windows are collected.

        Once the run has ended, rows that were not run have an error of the type "NotRun". Without
        `wait` it ends at the first row that is not collected yet.
        """
        return iterate_straight(self._run.results(wait=wait))

    def cancel(self) -> Status:
        """Cancel the run with the rows that are under way; return the status it ended with."""
        return run_straight(self._run.cancel())

    def pause(self) -> Status:
        """Let no more rows of the run begin, until it is resumed; return its status.

        Rows that are under way end as they would. Raises UsageError where the run has ended.
        """
        return run_straight(self._run.pause())

    def resume(self) -> Status:
        """Let a paused run go on; return its status. Raises UsageError where it is not paused."""
        return run_straight(self._run.resume())

    def redrive_failures(self) -> MapRun:
        """Start a run of those rows of an ended one that failed or were not run.

        Its rows keep their indexes and keys. Raises UsageError where there are none, or where the
        run has not ended.
        """
        return MapRun(run_straight(self._run.redrive_failures()), self._make_task)


class MapRuns:
    """The part of Swarm that starts map runs and finds them; see AsyncMapRuns."""

    _swarm: AsyncMapRuns

    def _handle(self, task: AsyncTask[Any]) -> Task[Any]:
        return Task(task)

    def start_map(
        self,
        agent: str | NamedAgent,
        rows: Source,
        *,
        tolerate: float = 0,
        concurrency: int = UNDER_WAY,
        item_key: ItemKey | None = None,
        idempotency_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> MapRun:
        """Start a run of `agent` over many rows that lives in the swarm, and return its handle.

        `rows` are arguments one after another, or where they lie: the path or the `s3://` address
        of a file, `.jsonl` or `.csv`, that is read with this caller's credentials. All are checked,
        and put into the stage's bucket, before the run starts: then it needs this caller no more.

        `tolerate` is how many rows may fail, as a share (0.05) or a number (5): one more, and the
        run fails, and starts no more. `concurrency` is how many rows are under way at most.
        `item_key` names a row, by a field of it or by a function: its lines carry the key, and a
        row whose key came before is not run again. With `idempotency_key` a repeat returns the
        first run, and reads no rows. `tags` are the run's, and `notify` is who is told of its end,
        as for `submit`.

        Raises InvalidArguments naming the first row that does not fit, before anything runs;
        UnknownAgent where the agent, or `map-run` itself, is not deployed.
        """
        run = self._swarm.start_map(
            agent,
            rows,
            tolerate=tolerate,
            concurrency=concurrency,
            item_key=item_key,
            idempotency_key=idempotency_key,
            tags=tags,
            notify=notify,
        )
        return MapRun(run_straight(run), self._handle)

    def map_run(self, run_id: str) -> MapRun:
        """Return the handle of a map run; raises TaskNotFound for what is none."""
        return MapRun(run_straight(self._swarm.map_run(run_id)), self._handle)

    def map_runs(self, *, since: Moment | None = None, limit: int = 20) -> list[MapRun]:
        """Return the newest map runs, the newest first; `since` as for `list`."""
        runs = run_straight(self._swarm.map_runs(since=since, limit=limit))
        return [MapRun(run, self._handle) for run in runs]
