"""Undo: when a task has failed or is cancelled, undo what it recorded, in reverse, then end it."""

from __future__ import annotations

import asyncio
from typing import Any

from sqswarm.backends.redact import hide
from sqswarm.backends.runner import attempt
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import LeaseLost, NotStorable
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.protocol import BeginUndo, Lease
from sqswarm.schemas.task import task_key
from sqswarm.schemas.undo import Undoing, shown_step
from sqswarm.schemas.writes import Applied, Refused
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.durable.journal_entry import step_name
from sqswarm.workers.durable.step import run_undo
from sqswarm.workers.durable.undo import StepUndo, Undo
from sqswarm.workers.runtime.acquire import Disposition, attempts_limit
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.outcome import Fail, Misfitted, Outcome, UndoBroke, Undone
from sqswarm.workers.runtime.suspend import stand_back
from sqswarm.workers.runtime.worker_context import WorkerContext


async def begin_undo(
    worker: WorkerContext, job: Job, lease: Lease, error: JsonObject, *, ended_ms: int
) -> Disposition:
    """Let a task that has failed for good with `error` undo its steps; its message comes again.

    Not a new one: the first of an ordering key keeps the others waiting until it has ended.
    """
    now = worker.now_ms()
    begin = BeginUndo(
        undoing=Undoing(error=error, at_ms=now),
        v=new_version(worker.runner.random_bits),
        due_at_ms=now + DUE_GRACE_MS,
    )
    write = protocol.begin_undo(lease, error, begin, ended_ms=ended_ms)
    try:
        outcome = await worker.store.write(write)
    except NotStorable:  # the record is full: how it ends comes before its history
        outcome = await worker.store.write(protocol.without_history(write))
    ours = outcome.item is not None and outcome.item["v"] == begin.v
    if not (isinstance(outcome, Applied) or ours):
        worker.log.warning("undo.refused", task_id=job.task_id)
        return await stand_back(worker, job, outcome.item)
    job.recorded_as("undoing")
    worker.log.warning("task.undoing", task_id=job.task_id, then=begin.undoing.told()[:500])
    await worker.hide(job, seconds=0)
    return Disposition.KEEP


async def let_go(worker: WorkerContext, job: Job) -> None:
    """Give back the lease of a run that was cut off by a cancel: an undo may wait for it."""
    key = task_key(worker.spec.name, job.task_id)
    failed = await attempt(worker.store.write(protocol.let_go(key, job.token)))
    if isinstance(failed, Exception):  # then it waits for the lease's end
        worker.log.warning("let-go.failed", task_id=job.task_id, error=repr(failed))


async def undo_recorded(journal: Journal, undo: Undo, running: asyncio.Future[Any]) -> Outcome:
    """Undo what the replay that is over has met, the last first; raises what broke the replay.

    A replay that does not come to all that is to be undone is of other code: it is parked, as any
    run that does not fit its journal. Nothing is undone then, for the order is part of it.
    """
    if journal.broke is not None:
        raise journal.broke
    if missing := undo.missing:
        return _unmet(journal, missing[0], running)
    while (step := undo.last()) is not None:
        try:
            ran = await run_undo(journal, step)
        except LeaseLost:
            raise
        except Exception as error:
            return _broke(step, undo, error)
        await _record(journal, step, ran)
        undo.done(step.name)
    return Undone(undoing=undo.undoing)


async def _record(journal: Journal, step: StepUndo, ran: protocol.Ran) -> None:
    full = step.name.removeprefix(step_name(""))
    task, undone = protocol.record_undone(journal.lease, full, step.number, ran=ran)
    held, done = await journal.worker.store.transact([task, undone])
    if isinstance(held, Refused):
        raise journal.lost(held.item)
    if isinstance(done, Refused) and (done.item is None or "undone" not in done.item):
        message = f"the record of step {full!r} is gone"
        raise RuntimeError(message)
    journal.worker.log.info("step.undone", task_id=journal.lease.task_id, step=full)


def _unmet(journal: Journal, name: str, running: asyncio.Future[Any]) -> Outcome:
    misfit = journal.met_misfit
    error = running.exception() if running.done() and not running.cancelled() else None
    if misfit is None and error is not None:
        if not (isinstance(error, Fail) or _is_last(journal)):
            raise error
        misfit = Misfit(
            why=hide(f"{type(error).__name__}: {error}, before it came to {name!r} to undo it")
        )
    return Misfitted(
        misfit=misfit
        or Misfit(why=f"this run never came to {name!r}, or not with an undo for it", recorded=name)
    )


def _is_last(journal: Journal) -> bool:
    lease = journal.lease
    return lease.attempt >= attempts_limit(journal.worker, lease.record)


def _broke(step: StepUndo, undo: Undo, error: Exception) -> UndoBroke:
    named = step.name.removeprefix(step_name(""))
    kind = error.type if isinstance(error, Fail) else type(error).__name__
    return UndoBroke(
        step=shown_step(named),
        left=tuple(shown_step(one.removeprefix(step_name(""))) for one in undo.names()),
        undoing=undo.undoing,
        error_type=kind,
        message=hide(str(error)),
        final=isinstance(error, Fail),
        exception=error,
    )
