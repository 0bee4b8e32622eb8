"""Settle: record results once, release what is to be tried again, then let messages go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas import operations
from schemas.json import size_bytes
from schemas.operations import Ending, Lease
from schemas.payload import RECORD_INLINE_LIMIT_BYTES, Payload
from schemas.task import TaskRecord
from schemas.writes import Applied, Outcome, Write
from workers import delivery as at
from workers.acquire import Fate
from workers.effects import carry_out
from workers.job import Job
from workers.station import Station
from workers.verdict import Complete, GiveUp, RetryLater, Verdict


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt that is over, and the verdict on it."""

    job: Job
    lease: Lease
    verdict: Verdict


async def conclude(station: Station, runs: Sequence[Run]) -> list[Fate]:
    """Settle the finished runs in one call, release the others; return the messages' fates."""
    ending = [run for run in runs if not isinstance(run.verdict, RetryLater)]
    endings = await station.runner.gather([_ending(station, run) for run in ending])
    writes = [_settle(station, run, end) for run, end in zip(ending, endings, strict=True)]
    settled = iter(
        zip(endings, await station.store.write_many(writes), strict=True) if writes else ()
    )
    return await station.runner.gather(
        [
            _retry_later(station, run, run.verdict)
            if isinstance(run.verdict, RetryLater)
            else _settled(station, run, *next(settled))
            for run in runs
        ]
    )


async def _ending(station: Station, run: Run) -> Ending:
    match run.verdict:
        case Complete(text=text, wrapped=wrapped):
            if size_bytes(text) <= RECORD_INLINE_LIMIT_BYTES:
                return Ending(result=Payload(inline=text), wrapped=wrapped)
            # The attempt is in the key: a late writer must not replace a recorded result's bytes.
            key = f"payloads/{run.job.task_id}/result-{run.lease.v}.json"
            ref = await station.blobs.put(key, text.encode())
            return Ending(result=Payload(ref=ref), wrapped=wrapped)
        case GiveUp(error=error):
            return Ending(error=error)
        case RetryLater():
            message = "a run to be retried has no ending"
            raise ValueError(message)


def _settle(station: Station, run: Run, ending: Ending) -> Write:
    now = station.now_ms()
    if run.job.is_lean(station.spec):
        record = run.job.record(station.spec, now_ms=now)
        return operations.settle_lean(record, ending, now_ms=now, expires_s=station.expires_s())
    return operations.settle(
        run.lease,
        ending,
        now_ms=now,
        expires_s=station.expires_s(),
        owes=run.job.message.parent is not None,
    )


async def _settled(station: Station, run: Run, ending: Ending, outcome: Outcome) -> Fate:
    job = run.job
    if isinstance(outcome, Applied):
        await carry_out(station, job, status=ending.status, error=ending.error)
        return Fate.DELETE
    if outcome.item is None:  # the record was deleted under us: there is nobody left to tell
        station.log.warning("settle.refused", task_id=job.task_id, why="no record")
        return Fate.DELETE
    record = TaskRecord.from_item(outcome.item)
    if record.status.terminal:
        if record.v != run.lease.v or record.status is not ending.status:
            station.log.warning("settle.refused", task_id=job.task_id, why=record.status.value)
        await carry_out(station, job, status=record.status, error=record.error)
        return Fate.DELETE
    station.log.warning("settle.refused", task_id=job.task_id, why="lease lost")
    return await leave(station, job, record)


async def leave(station: Station, job: Job, record: TaskRecord) -> Fate:
    """Leave a task that is another worker's now; its message stays for the case that one dies."""
    step = at.standing(
        record,
        token=job.token,
        max_attempts=station.spec.max_attempts,
        now_ms=station.now_ms(),
    )
    await station.hide(job, seconds=step.for_s if isinstance(step, at.LeasedByAnother) else 1)
    return Fate.KEEP


async def _retry_later(station: Station, run: Run, verdict: RetryLater) -> Fate:
    station.log.warning(
        "attempt.failed",
        task_id=run.job.task_id,
        attempt=run.lease.attempt,
        retry_in_s=verdict.after_s,
        why=verdict.message,
    )
    if not run.job.is_lean(station.spec):
        await station.store.write(
            operations.release(run.lease, now_ms=station.now_ms(), message=verdict.message)
        )
    await station.hide(run.job, seconds=verdict.after_s)
    return Fate.KEEP
