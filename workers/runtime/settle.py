"""Settle: record results once, release what is to be tried again, then let messages go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqswarm.backends.runner import attempt
from sqswarm.schemas import activity, protocol
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.json import JsonObject, size_bytes
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.payload import RECORD_INLINE_LIMIT_BYTES, Payload, payload_key
from sqswarm.schemas.protocol import Ending, Lease, without_arguments
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Applied, Item, Refused, Write, WriteOutcome
from sqswarm.workers.runtime.acquire import Disposition
from sqswarm.workers.runtime.activity import write_with_activity
from sqswarm.workers.runtime.completion import Ended, run_completions
from sqswarm.workers.runtime.decide import (
    BeginUndo,
    Complete,
    Decision,
    EndCancelled,
    GiveUp,
    Park,
    RetryLater,
    Suspend,
)
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.park import park
from sqswarm.workers.runtime.suspend import stand_back, suspend
from sqswarm.workers.runtime.worker_context import WorkerContext

_GOES_ON = (RetryLater, Suspend, Park, BeginUndo)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt that is over, and the decision on it. `ended_ms` is when (Unix milliseconds)."""

    job: Job
    lease: Lease
    decision: Decision
    began_ms: int
    ended_ms: int


@dataclass(frozen=True, kw_only=True)
class _Settled:
    """What a run was settled as; what kept it from that, where it was not."""

    run: Run
    ending: Ending
    outcome: WriteOutcome | Exception

    @property
    def message_id(self) -> str:
        """Return the id of its message."""
        return self.run.job.delivery.message_id


async def settle_runs(
    worker: WorkerContext, runs: Sequence[Run], *, last: Callable[[], bool] = lambda: True
) -> list[Disposition]:
    """Settle the finished runs in one call, suspend or release the others; return dispositions.

    A call that fails costs those it was about: the others' attempts are not lost with it. `last`
    says, when asked, whether nothing of their batch is still to be settled.
    """
    ending = [run for run in runs if isinstance(run.decision, Complete | GiveUp | EndCancelled)]
    parts = [ending, *([one] for one in runs if isinstance(one.decision, _GOES_ON))]
    dispositions: dict[str, Disposition] = {}
    told_of = [_settle_part(worker, part, last=last) for part in parts]
    for told in await worker.runner.gather(told_of):
        dispositions.update(told)
    return [dispositions[run.job.delivery.message_id] for run in runs]


async def _settle_part(
    worker: WorkerContext, runs: Sequence[Run], *, last: Callable[[], bool]
) -> dict[str, Disposition]:
    try:
        match runs:
            case [Run(decision=RetryLater() as decision) as run]:
                dispositions = [await _retry_later(worker, run, decision)]
            case [Run(decision=Park(misfit=misfit)) as run]:
                dispositions = [
                    await park(worker, run.job, run.lease, misfit, ended_ms=run.ended_ms)
                ]
            case [Run(decision=BeginUndo(error=error)) as run]:
                dispositions = [await _begin_undo(worker, run, error)]
            case [Run(decision=Suspend() as suspension) as run]:
                dispositions = [await _suspend(worker, run, suspension)]
            case _:
                dispositions = await _settled(worker, runs, last=last)
    except Exception as error:
        worker.log.error("settle.failed", error=repr(error), tasks=len(runs))
        dispositions = [Disposition.KEEP] * len(runs)
    return {
        run.job.delivery.message_id: disposition
        for run, disposition in zip(runs, dispositions, strict=True)
    }


async def _suspend(worker: WorkerContext, run: Run, suspension: Suspend) -> Disposition:
    try:
        return await suspend(worker, run.job, run.lease, suspension)
    except NotStorable as error:
        # No attempt of the task could wait for this.
        told = error_object("NotStorable", str(error), attempt=run.lease.attempt)
        return (await _settled(worker, [replace(run, decision=GiveUp(error=told))]))[0]


async def _settled(
    worker: WorkerContext, runs: Sequence[Run], *, last: Callable[[], bool] = lambda: True
) -> list[Disposition]:
    """Record how runs ended; what is wrong with one is its own."""
    endings = await worker.runner.gather([attempt(_ending(worker, run)) for run in runs])
    now = worker.now_ms()
    writes = {
        n: _settle(worker, run, ending, now)
        for n, (run, ending) in enumerate(zip(runs, endings, strict=True))
        if isinstance(ending, Ending)
    }
    ended = [
        _ended(run, ending)
        for run, ending in zip(runs, endings, strict=True)
        if isinstance(ending, Ending)
    ]
    told = await write_with_activity(worker, list(writes.values()), ended, last=last)
    outcomes = dict(zip(writes, told, strict=True))
    settled = await worker.runner.gather(
        [
            _recorded(worker, run, ending, outcomes[n], now)
            if isinstance(ending, Ending)
            else _unsettled(run, ending)
            for n, (run, ending) in enumerate(zip(runs, endings, strict=True))
        ]
    )
    done = [one for one in settled if isinstance(one.outcome, Applied)]
    errors = await run_completions(
        worker,
        [
            Ended(
                job=one.run.job,
                status=one.ending.status,
                error=one.ending.error,
                record=_orphaning(one),
                told_ms=now if worker.owes_until_ms(one.run.job.message) else None,
                result=one.ending.result,
                due=_is_due(one.run),
            )
            for one in done
        ],
    )
    for one in done:
        one.run.job.recorded_as(one.ending.status.value)
    failed = {one.message_id: error for one, error in zip(done, errors, strict=True)}
    return await worker.runner.gather(
        [_disposition(worker, one, failed.get(one.message_id)) for one in settled]
    )


def _ended(run: Run, ending: Ending) -> activity.Ended:
    """Return what the activity tells of a run that is settled."""
    message = run.job.message
    return activity.Ended(
        task_id=run.job.task_id,
        principal=message.principal,
        status=ending.status,
        error_type=ending.error_type,
        at_ms=run.ended_ms,
        wait_ms=max(0, run.began_ms - run.job.delivery.sent_ms),
        run_ms=max(0, run.ended_ms - run.began_ms),
        attempt=run.lease.attempt,
        tags=message.tags or {},
    )


async def _unsettled(run: Run, error: Exception) -> _Settled:
    return _Settled(run=run, ending=Ending(), outcome=error)


async def _recorded(
    worker: WorkerContext,
    run: Run,
    ending: Ending,
    outcome: WriteOutcome | Exception,
    now: int,
) -> _Settled:
    """Return how the settle of a run went.

    Arguments, journal and result share an item: where it cannot hold all of them, the result goes
    to S3, and where there is no place even for its address, the arguments make way.
    """
    if isinstance(outcome, NotStorable) and ending.result and ending.result.inline is not None:
        moved = await attempt(_put(worker, run, ending.result.inline))
        if isinstance(moved, Payload):
            ending = replace(ending, result=moved)
            outcome = await attempt(worker.store.write(_settle(worker, run, ending, now)))
    if isinstance(outcome, NotStorable):
        write = without_arguments(_settle(worker, run, ending, now))
        outcome = await attempt(worker.store.write(write))
    return _Settled(run=run, ending=ending, outcome=outcome)


async def _disposition(
    worker: WorkerContext, settled: _Settled, failed: Exception | None
) -> Disposition:
    run, outcome = settled.run, settled.outcome
    if isinstance(outcome, Exception):
        failed = outcome
    elif isinstance(outcome, Refused):
        told = await attempt(_refused(worker, run, settled.ending, outcome.item))
        if isinstance(told, Disposition):
            return told
        failed = told
    if failed is None:
        return Disposition.DELETE
    worker.log.error("settle.failed", error=repr(failed), task_id=run.job.task_id)
    return Disposition.KEEP


async def _ending(worker: WorkerContext, run: Run) -> Ending:
    match run.decision:
        case Complete(text=text, wrapped=wrapped):
            if size_bytes(text) <= RECORD_INLINE_LIMIT_BYTES:
                return Ending(result=Payload(inline=text), wrapped=wrapped)
            return Ending(result=await _put(worker, run, text), wrapped=wrapped)
        case GiveUp(error=error, steps=steps, undone=undone):
            return Ending(error=error, steps=steps, undone=undone)
        case EndCancelled():
            return Ending(undone=True)
        case RetryLater() | Suspend() | Park() | BeginUndo():
            message = "a run that goes on has no ending"
            raise ValueError(message)


async def _put(worker: WorkerContext, run: Run, text: str) -> Payload:
    """Leave a result in S3."""
    # The attempt is in the key: a late writer must not replace a recorded result's bytes.
    key = payload_key(run.lease.agent, run.lease.task_id, f"result-{run.lease.v}")
    return Payload(ref=await worker.blobs.put(key, text.encode()))


def _settle(worker: WorkerContext, run: Run, ending: Ending, now: int) -> Write:
    owes_until_ms = worker.owes_until_ms(run.job.message)
    if run.job.is_lean(worker.spec):
        record = run.job.record(worker.spec, now_ms=now)
        return protocol.settle_lean(
            record,
            ending,
            now_ms=now,
            expires_s=worker.expires_s(),
            lease=run.lease,
            owes_until_ms=owes_until_ms,
            ended_ms=run.ended_ms,
        )
    return protocol.settle(
        run.lease,
        ending,
        now_ms=now,
        expires_s=worker.expires_s(child=run.job.message.parent is not None),
        owes=run.job.message.parent is not None or _publishes(worker, ending),
        owes_until_ms=owes_until_ms,
        ended_ms=run.ended_ms,
    )


def _publishes(worker: WorkerContext, ending: Ending) -> bool:
    return worker.spec.publishes is not None and ending.status is Status.COMPLETED


def _is_due(run: Run) -> bool:
    """Tell whether the sweep has an eye on the task; else only its message has."""
    return run.lease.record is not None and run.lease.record.due_at_ms is not None


async def _refused(
    worker: WorkerContext, run: Run, ending: Ending, item: Item | None
) -> Disposition:
    if item is not None and item["status"] == ending.status.value and item["v"] == run.lease.v:
        run.job.recorded_as(ending.status.value)
        return await stand_back(worker, run.job, item)  # our own, its answer was lost
    working = item is not None and item["status"] == Status.WORKING.value
    ours = item is not None and item["v"] == run.lease.v
    if working and ours and ending.error is not None and not ending.undone:
        # It is still ours: a step that has an undo was recorded, and its answer lost.
        return await _begin_undo(worker, run, ending.error)
    # The activity has told of an end that is none.
    message = run.job.message
    again = activity.Began(
        task_id=run.job.task_id, principal=message.principal, at_ms=worker.now_ms()
    )
    worker.activity.add([again], unlisted=True)
    worker.log.warning(
        "settle.refused",
        task_id=run.job.task_id,
        why="no record" if item is None else item["status"],
    )
    return await stand_back(worker, run.job, item)


async def _begin_undo(worker: WorkerContext, run: Run, error: JsonObject) -> Disposition:
    from sqswarm.workers.runtime.undo import begin_undo

    return await begin_undo(worker, run.job, run.lease, error, ended_ms=run.ended_ms)


def _orphaning(settled: _Settled) -> TaskRecord | None:
    """Return the record of a task whose children are to be cancelled; None of all others."""
    record = settled.run.lease.record
    if record is None or record.undo is None or not record.pending:
        return None
    return replace(record, status=settled.ending.status, phase=Phase.WAITING, due_at_ms=0)


async def _retry_later(worker: WorkerContext, run: Run, decision: RetryLater) -> Disposition:
    worker.log.warning(
        "attempt.failed",
        task_id=run.job.task_id,
        attempt=run.lease.attempt,
        retry_in_s=decision.after_s,
        why=decision.message,
    )
    released: WriteOutcome = Applied()
    if not run.job.is_lean(worker.spec):
        release = protocol.release(
            run.lease,
            now_ms=worker.now_ms(),
            message=decision.message,
            ended_ms=run.ended_ms,
            error_type=decision.error_type,
            error=decision.error,
        )
        try:
            released = await worker.store.write(release)
        except NotStorable:  # the record is full: what it is for comes before its history
            released = await worker.store.write(protocol.without_history(release))
    if isinstance(released, Applied):
        run.job.recorded_as("retried")
    await worker.hide(run.job, seconds=decision.after_s)
    return Disposition.KEEP
