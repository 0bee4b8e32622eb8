"""The lines of a map run, read from its windows in the rows' order, and its failed rows again."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.notify import told_of
from sqswarm.dispatcher.map_progress import RunArguments, find_run
from sqswarm.dispatcher.start_map import upload_rows
from sqswarm.dispatcher.submit import Request, Submitted, submit
from sqswarm.dispatcher.view import find
from sqswarm.schemas.errors import SwarmError, TaskFailed, TaskNotFound, UsageError
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.map_run import (
    MAP_RUN,
    Cut,
    failures_key,
    results_key,
    rows_key,
)
from sqswarm.schemas.payload import GONE, PAYLOAD_DAYS
from sqswarm.schemas.results import error_object

_LOOK_EVERY_S = 1.0
NOT_RUN = "NotRun"
"""Type of the error of a row that has no line: its run ended first, or its window's task failed."""


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One row of a map run: its `value`, or the JSON-RPC `error` object it failed with.

    `key` is what `item_key` made of it; `duplicate_of` the row of the same key that was run in its
    place. `task_id` is a failed row's task, where it had one.
    """

    index: int
    value: Any = None
    error: JsonObject | None = None
    key: str | None = None
    task_id: str | None = None
    duplicate_of: int | None = None

    @classmethod
    def of(cls, line: JsonObject) -> RunRow:
        """Return the row of a line."""
        return cls(
            index=line["index"],
            value=line.get("value"),
            error=line.get("error"),
            key=line.get("key"),
            task_id=line.get("taskId"),
            duplicate_of=line.get("duplicateOf"),
        )

    def result(self) -> Any:
        """Return the value, or raise the row's TaskFailed."""
        if self.error is not None:
            error: SwarmError = TaskFailed(self.task_id or f"of row {self.index}", self.error)
            raise error
        return self.value

    def to_json(self) -> JsonObject:
        """Return the line."""
        line: JsonObject = {"index": self.index}
        if self.key is not None:
            line["key"] = self.key
        if self.duplicate_of is not None:
            return {**line, "duplicateOf": self.duplicate_of}
        if self.error is None:
            return {**line, "value": self.value}
        task = {} if self.task_id is None else {"taskId": self.task_id}
        return {**line, **task, "error": self.error}


async def run_lines(
    connection: Connection, run_id: str, *, wait: bool = True
) -> AsyncGenerator[JsonObject]:
    """Yield a line for each row, in the rows' order, a window at a time as they are collected.

    Rows without a line when the run has ended get one that says so. Without `wait` it ends at the
    first window that is not collected yet. Raises TaskNotFound.
    """
    record, arguments = await find_run(connection, run_id)
    over = record.status.terminal
    blobs = connection.blobs
    for window in range(arguments.windows):
        address = blobs.address(results_key(run_id, window))
        while (data := await blobs.get(address)) is None and not over:
            now = await find(connection, run_id, agent=MAP_RUN)
            over = now is None or now.status.terminal
            if not over and not wait:
                return
            if not over:
                await connection.runner.sleep(_LOOK_EVERY_S)
        if data is not None:
            for line in data.splitlines():
                yield loads(line)
            continue
        for row in await _rows_of(connection, arguments.rows, window):
            yield _not_run(row)


async def redrive_failures(connection: Connection, run_id: str) -> Submitted:
    """Start a run of the rows of an ended one that failed, or were not run; as it was started.

    Its lines have the indexes of the first run's. Raises UsageError where that has not ended, or
    none of its rows failed.
    """
    record, arguments = await find_run(connection, run_id)
    if not record.status.terminal:
        message = f"the run {run_id} is {record.status.value}: more of its rows may fail"
        raise UsageError(message, hint="Wait for its end, or cancel it first.")
    upload, sizes = await upload_rows(
        connection,
        _failed(connection, run_id, arguments),
        Cut.of(arguments.concurrency),
    )
    if not sizes:
        raise UsageError(f"no row of the run {run_id} failed", hint="There is nothing to redrive.")
    again = {
        **arguments.to_json(),
        "rows": upload,
        "total": sum(sizes),
        "windows": len(sizes),
    }
    told = told_of(connection, MAP_RUN, record.notify)
    request = Request(arguments=again, notify=told, redriven_from=run_id, durable=True)
    return (await submit(connection, MAP_RUN, [request]))[0]


async def _failed(
    connection: Connection, run_id: str, arguments: RunArguments
) -> AsyncGenerator[JsonObject]:
    """Yield the rows of an ended run that failed or have no line, as they were uploaded."""
    blobs = connection.blobs
    for window in range(arguments.windows):
        failures = await blobs.get(blobs.address(failures_key(run_id, window)))
        if failures is not None:
            wanted = {loads(line)["index"] for line in failures.splitlines()}
        elif await blobs.get(blobs.address(results_key(run_id, window))) is not None:
            continue
        else:
            wanted = None
        for row in await _rows_of(connection, arguments.rows, window):
            if "row" in row and (wanted is None or row["index"] in wanted):
                yield row


async def _rows_of(connection: Connection, rows: str, window: int) -> list[JsonObject]:
    data = await connection.blobs.get(connection.blobs.address(rows_key(rows, window)))
    if data is None:
        message = f"window {window} of the rows {rows} {GONE}"
        raise TaskNotFound(message, hint=f"They are kept for {PAYLOAD_DAYS} days.")
    return [loads(line) for line in data.splitlines()]


def _not_run(row: JsonObject) -> JsonObject:
    line: JsonObject = {name: row[name] for name in ("index", "key", "duplicateOf") if name in row}
    if "row" not in row:
        return line
    reason = "the run ended before it, or the task of its window failed"
    return {**line, "error": error_object(NOT_RUN, reason)}
