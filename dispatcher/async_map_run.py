"""AsyncMapRun: a handle of one map run; and AsyncSwarm's ways to one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence

from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.dispatcher.map_progress import find_run, is_run, run_counts
from sqswarm.dispatcher.map_results import RunRow, redrive_failures, run_lines
from sqswarm.dispatcher.map_rows import Source
from sqswarm.dispatcher.pause_run import pause_run, resume_run
from sqswarm.dispatcher.start_map import ItemKey, start_map
from sqswarm.dispatcher.submit import Submitted
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.map_run import MAP_RUN, UNDER_WAY, RunCounts
from sqswarm.schemas.naming import NamedAgent, agent_name
from sqswarm.schemas.task_filter import Moment, TaskFilter


class AsyncMapRun:
    """A handle of one map run; see `MapRun`."""

    def __init__(self, connection: Connection, submitted: Submitted) -> None:
        """Handles are made by AsyncSwarm."""
        self._connection = connection
        self._submitted = submitted
        self.id = submitted.task_id

    def __repr__(self) -> str:
        """Show its id."""
        return f"AsyncMapRun(id={self.id!r})"

    @property
    def task(self) -> AsyncTask[RunCounts]:
        """Return the handle of the task that the run is."""
        return AsyncTask(self._connection, self._submitted)

    async def status(self) -> Status:
        """Return the run's status now."""
        return await self.task.status()

    async def counts(self) -> RunCounts:
        """Return how many rows have ended, how fast and how long the rest takes; see `MapRun`."""
        return await run_counts(self._connection, self.id)

    async def result(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the contract's name
    ) -> RunCounts:
        """Wait for the run's end and return its counts; see `MapRun.result`."""
        await self.task.result(timeout)
        return await self.counts()

    async def results(self, *, wait: bool = True) -> AsyncGenerator[RunRow]:
        """Yield every row, in the rows' order, as they are collected; see `MapRun.results`."""
        async for line in run_lines(self._connection, self.id, wait=wait):
            yield RunRow.of(line)

    async def cancel(self) -> Status:
        """Cancel the run with the rows that are under way; return the status it ended with."""
        return await self.task.cancel()

    async def pause(self) -> Status:
        """Let no more rows of the run begin; see `MapRun.pause`."""
        return await pause_run(self._connection, self.id)

    async def resume(self) -> Status:
        """Let a paused run go on; see `MapRun.resume`."""
        return await resume_run(self._connection, self.id)

    async def redrive_failures(self) -> AsyncMapRun:
        """Start a run of the rows that failed or were not run; see `MapRun.redrive_failures`."""
        return AsyncMapRun(self._connection, await redrive_failures(self._connection, self.id))


class AsyncMapRuns:
    """The part of AsyncSwarm that starts map runs and finds them."""

    _connection: Connection

    async def start_map(
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
    ) -> AsyncMapRun:
        """Start a run of an agent over many rows; see `Swarm.start_map`."""
        submitted = await start_map(
            self._connection,
            agent_name(agent),
            rows,
            tolerate=tolerate,
            concurrency=concurrency,
            item_key=item_key,
            idempotency_key=idempotency_key,
            tags=tags,
            notify=notify,
        )
        return AsyncMapRun(self._connection, submitted)

    async def map_run(self, run_id: str) -> AsyncMapRun:
        """Return the handle of a map run; raises TaskNotFound for what is none."""
        await find_run(self._connection, run_id)
        return AsyncMapRun(self._connection, Submitted(task_id=run_id, agent=MAP_RUN))

    async def map_runs(self, *, since: Moment | None = None, limit: int = 20) -> list[AsyncMapRun]:
        """Return the newest map runs, the newest first; see `Swarm.map_runs`."""
        now_ms = self._connection.runner.now_ms()
        wanted = TaskFilter.of(agent=MAP_RUN, since=since, now_ms=now_ms)
        runs: list[AsyncMapRun] = []
        cursor: str | None = None
        while len(runs) < limit:
            page = await list_tasks(self._connection, wanted, limit=100, cursor=cursor)
            runs += [
                AsyncMapRun(self._connection, Submitted(task_id=view.id, agent=MAP_RUN))
                for view in page
                if is_run(view.record)
            ]
            cursor = page.cursor
            if cursor is None:
                break
        return runs[:limit]
