"""Settle: record results once, release what is to be tried again, then let messages go."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.schemas import protocol
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.payload import RECORD_INLINE_LIMIT_BYTES, Payload, payload_key
from sqswarm.schemas.protocol import Ending, Lease
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Applied, Item, Write, WriteOutcome
from sqswarm.workers.runtime.acquire import Disposition
from sqswarm.workers.runtime.completion import Ended, run_completions
from sqswarm.workers.runtime.decide import Complete, Decision, GiveUp, RetryLater, Suspend
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.suspend import stand_back, suspend
from sqswarm.workers.runtime.worker_context import WorkerContext


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt that is over, and the decision on it."""

    job: Job
    lease: Lease
    decision: Decision


async def settle_runs(worker: WorkerContext, runs: Sequence[Run]) -> list[Disposition]:
    """Settle the finished runs in one call, suspend or release the others; return dispositions.

    A call that fails costs those it was about: the others' attempts are not lost with it.
    """
    ending = [run for run in runs if isinstance(run.decision, Complete | GiveUp)]
    parts = [ending, *([run] for run in runs if isinstance(run.decision, RetryLater | Suspend))]
    dispositions: dict[str, Disposition] = {}
    for told in await worker.runner.gather([_settle_part(worker, part) for part in parts]):
        dispositions.update(told)
    return [dispositions[run.job.delivery.message_id] for run in runs]


async def _settle_part(worker: WorkerContext, runs: Sequence[Run]) -> dict[str, Disposition]:
    try:
        match runs:
            case [Run(decision=RetryLater() as decision) as run]:
                dispositions = [await _retry_later(worker, run, decision)]
            case [Run(decision=Suspend() as suspension) as run]:
                dispositions = [await suspend(worker, run.job, run.lease, suspension)]
            case _:
                dispositions = await _settled(worker, runs)
    except Exception as error:
        worker.log.error("settle.failed", error=repr(error), tasks=len(runs))
        dispositions = [Disposition.KEEP] * len(runs)
    return {
        run.job.delivery.message_id: disposition
        for run, disposition in zip(runs, dispositions, strict=True)
    }


async def _settled(worker: WorkerContext, runs: Sequence[Run]) -> list[Disposition]:
    endings = await worker.runner.gather([_ending(worker, run) for run in runs])
    writes = [_settle(worker, run, end) for run, end in zip(runs, endings, strict=True)]
    outcomes = await worker.store.write_many(writes)
    settled = list(zip(runs, endings, outcomes, strict=True))
    # Together: ten children of one parent are counted in one write.
    await run_completions(
        worker,
        [
            Ended(job=run.job, status=end.status, error=end.error)
            for run, end, outcome in settled
            if isinstance(outcome, Applied)
        ],
    )
    return await worker.runner.gather([_disposition(worker, *each) for each in settled])


async def _disposition(
    worker: WorkerContext, run: Run, ending: Ending, outcome: WriteOutcome
) -> Disposition:
    if isinstance(outcome, Applied):
        return Disposition.DELETE
    return await _refused(worker, run, ending, outcome.item)


async def _ending(worker: WorkerContext, run: Run) -> Ending:
    match run.decision:
        case Complete(text=text, wrapped=wrapped):
            if size_bytes(text) <= RECORD_INLINE_LIMIT_BYTES:
                return Ending(result=Payload(inline=text), wrapped=wrapped)
            # The attempt is in the key: a late writer must not replace a recorded result's bytes.
            key = payload_key(run.lease.agent, run.lease.task_id, f"result-{run.lease.v}")
            ref = await worker.blobs.put(key, text.encode())
            return Ending(result=Payload(ref=ref), wrapped=wrapped)
        case GiveUp(error=error):
            return Ending(error=error)
        case RetryLater() | Suspend():
            message = "a run that goes on has no ending"
            raise ValueError(message)


def _settle(worker: WorkerContext, run: Run, ending: Ending) -> Write:
    now = worker.now_ms()
    if run.job.is_lean(worker.spec):
        record = run.job.record(worker.spec, now_ms=now)
        return protocol.settle_lean(record, ending, now_ms=now, expires_s=worker.expires_s())
    return protocol.settle(
        run.lease,
        ending,
        now_ms=now,
        expires_s=worker.expires_s(child=run.job.message.parent is not None),
        owes=run.job.message.parent is not None,
    )


async def _refused(
    worker: WorkerContext, run: Run, ending: Ending, item: Item | None
) -> Disposition:
    if item is not None and item["status"] == ending.status.value and item["v"] == run.lease.v:
        return await stand_back(worker, run.job, item)  # our own, its answer was lost
    worker.log.warning(
        "settle.refused",
        task_id=run.job.task_id,
        why="no record" if item is None else item["status"],
    )
    return await stand_back(worker, run.job, item)


async def _retry_later(worker: WorkerContext, run: Run, decision: RetryLater) -> Disposition:
    worker.log.warning(
        "attempt.failed",
        task_id=run.job.task_id,
        attempt=run.lease.attempt,
        retry_in_s=decision.after_s,
        why=decision.message,
    )
    if not run.job.is_lean(worker.spec):
        await worker.store.write(
            protocol.release(run.lease, now_ms=worker.now_ms(), message=decision.message)
        )
    await worker.hide(run.job, seconds=decision.after_s)
    return Disposition.KEEP
