"""Undo: what is done, outside a worker, about a task that has recorded steps with an undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.protocol import STEP_PREFIX, BeginUndo
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.undo import Undoing, shown_step
from sqswarm.schemas.writes import Set, Write

_NAMES = ("undo", "undone")


def begin_undo_lost(connection: Connection, record: TaskRecord, why: str) -> Write:
    """Return the write that undoes a task whose attempts are used up, instead of ending it."""
    error = error_object("WorkerLost", why, attempt=record.attempt)
    return protocol.begin_undo_lost(record, _begin(connection, error))


def is_undone_first(record: TaskRecord) -> bool:
    """Tell whether a task that is cancelled has something to undo, and nobody has begun that."""
    return record.undoable > 0 and record.undo is None


async def publish_undo(connection: Connection, begun: Sequence[tuple[TaskRecord, Write]]) -> None:
    """Publish tasks, as they were read, whose undo the write has begun."""
    going = [
        replace(record, v=str(change.value), publishes=0)
        for record, write in begun
        for change in write.changes
        if isinstance(change, Set) and change.name == "v"
    ]
    # Whoever dies before this leaves them in the sweep index.
    await republish(connection, going)


def begin_undo_cancelled(connection: Connection, record: TaskRecord) -> Write:
    """Return the write that cancels a task by undoing it first."""
    now_ms = connection.runner.now_ms()
    return protocol.begin_undo_cancelled(record, _begin(connection, None), now_ms=now_ms)


async def error_of_lost(connection: Connection, record: TaskRecord, why: str) -> JsonObject:
    """Return the error of a task whose attempts are used up; of an undo with what it left.

    Only a worker's role may read steps: what housekeeping gives up tells its timeline.
    """
    if record.undoing is None:
        return error_object("WorkerLost", why, attempt=record.attempt)
    if not connection.worker:
        told = f"undoing broke off: {why}; its timeline shows what is undone"
        return record.undoing.failed(told, attempt=record.attempt)
    left = await _left(connection, record)
    told = f"undo of {left[0]!r} failed: {why}" if left else f"undoing broke off: {why}"
    return record.undoing.failed(told, attempt=record.attempt, left=left)


async def _left(connection: Connection, record: TaskRecord) -> list[str]:
    """Return the steps of a task that are not undone, the last first."""
    found = await connection.store.read_group(record.key.pk, after_sk=STEP_PREFIX, names=_NAMES)
    left = [
        (-item["undo"], item["sk"].removeprefix(STEP_PREFIX))
        for item in found
        if item["sk"].startswith(STEP_PREFIX) and "undo" in item and "undone" not in item
    ]
    return [shown_step(name) for _, name in sorted(left)]


def _begin(connection: Connection, error: JsonObject | None) -> BeginUndo:
    now_ms = connection.runner.now_ms()
    return BeginUndo(
        undoing=Undoing(error=error, at_ms=now_ms),
        v=new_version(connection.runner.random_bits),
        due_at_ms=now_ms + DUE_GRACE_MS,
    )
