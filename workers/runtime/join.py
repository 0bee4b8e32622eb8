"""Join: events that are parts of a join are collected, and no attempt is made at them."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.dispatcher.lifecycle.join import collect
from sqswarm.schemas.errors import NotStorable, PoisonMessage
from sqswarm.workers.runtime.acquire import Disposition, come_again, put_poison_aside
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import WorkerContext


async def collect_parts(worker: WorkerContext, jobs: Sequence[Job]) -> dict[str, Disposition]:
    """Add the events among `jobs` to their joins; return their messages' dispositions."""
    join = worker.spec.joins
    parts = [job for job in jobs if join is not None and job.message.topic in join.topics]
    if not parts:
        return {}
    told = await collect(worker.connection, worker.spec, [job.message for job in parts])
    dispositions = await worker.runner.gather(
        [_disposition(worker, job, failed) for job, failed in zip(parts, told, strict=True)]
    )
    return {
        job.delivery.message_id: disposition
        for job, disposition in zip(parts, dispositions, strict=True)
    }


async def _disposition(worker: WorkerContext, job: Job, failed: Exception | None) -> Disposition:
    if failed is None:
        return Disposition.DELETE
    if isinstance(failed, NotStorable):
        failed = PoisonMessage("not-storable", str(failed))
    if isinstance(failed, PoisonMessage):
        return await put_poison_aside(worker, job.delivery, failed)
    worker.log.error("join.failed", error=repr(failed), task_id=job.task_id)
    await come_again(worker, job)
    return Disposition.KEEP
