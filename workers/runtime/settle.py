"""Settle: record results once, release what is to be tried again, then let messages go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqswarm.schemas import protocol
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.payload import RECORD_INLINE_LIMIT_BYTES, Payload
from sqswarm.schemas.protocol import Ending, Lease
from sqswarm.schemas.writes import Applied, Item, Outcome, Write
from sqswarm.workers.runtime.acquire import Fate
from sqswarm.workers.runtime.completion import Ended, carry_out
from sqswarm.workers.runtime.decide import Complete, GiveUp, Park, RetryLater, Verdict
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.suspend import stand_back, suspend
from sqswarm.workers.runtime.worker_context import Station


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt that is over, and the verdict on it."""

    job: Job
    lease: Lease
    verdict: Verdict


async def conclude(station: Station, runs: Sequence[Run]) -> list[Fate]:
    """Settle the finished runs in one call, park or release the others; return the fates."""
    ending = [run for run in runs if isinstance(run.verdict, Complete | GiveUp)]
    endings = await station.runner.gather([_ending(station, run) for run in ending])
    writes = [_settle(station, run, end) for run, end in zip(ending, endings, strict=True)]
    outcomes = await station.store.write_many(writes)
    settled = list(zip(ending, endings, outcomes, strict=True))
    # Together: ten children of one parent are counted in one write.
    await carry_out(
        station,
        [
            Ended(job=run.job, status=end.status, error=end.error)
            for run, end, outcome in settled
            if isinstance(outcome, Applied)
        ],
    )
    answers = iter(settled)
    return await station.runner.gather([_fate(station, run, answers) for run in runs])


async def _fate(station: Station, run: Run, settled: Iterator[tuple[Run, Ending, Outcome]]) -> Fate:
    match run.verdict:
        case RetryLater():
            return await _retry_later(station, run, run.verdict)
        case Park():
            return await suspend(station, run.job, run.lease, run.verdict)
        case Complete() | GiveUp():
            _, ending, outcome = next(settled)
            if isinstance(outcome, Applied):
                return Fate.DELETE
            return await _refused(station, run, ending, outcome.item)


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
        case RetryLater() | Park():
            message = "a run that goes on has no ending"
            raise ValueError(message)


def _settle(station: Station, run: Run, ending: Ending) -> Write:
    now = station.now_ms()
    if run.job.is_lean(station.spec):
        record = run.job.record(station.spec, now_ms=now)
        return protocol.settle_lean(record, ending, now_ms=now, expires_s=station.expires_s())
    return protocol.settle(
        run.lease,
        ending,
        now_ms=now,
        expires_s=station.expires_s(child=run.job.message.parent is not None),
        owes=run.job.message.parent is not None,
    )


async def _refused(station: Station, run: Run, ending: Ending, item: Item | None) -> Fate:
    if item is not None and item["status"] == ending.status.value and item["v"] == run.lease.v:
        return await stand_back(station, run.job, item)  # our own, its answer was lost
    station.log.warning(
        "settle.refused",
        task_id=run.job.task_id,
        why="no record" if item is None else item["status"],
    )
    return await stand_back(station, run.job, item)


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
            protocol.release(run.lease, now_ms=station.now_ms(), message=verdict.message)
        )
    await station.hide(run.job, seconds=verdict.after_s)
    return Fate.KEEP
