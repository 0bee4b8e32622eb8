"""Park: set a task aside whose code does not fit its journal, and let its message go."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from sqswarm.schemas import protocol
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.lifecycle import Phase
from sqswarm.schemas.park import SECOND_LOOK_MS, Misfit
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.writes import Applied
from sqswarm.workers.runtime.acquire import Disposition
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.suspend import stand_back
from sqswarm.workers.runtime.worker_context import WorkerContext

_DIGITS = 8


async def park(
    worker: WorkerContext, job: Job, lease: Lease, misfit: Misfit, *, ended_ms: int
) -> Disposition:
    """Park the task of an attempt and return its message's disposition.

    Housekeeping looks once more, in case this worker's code is on its way out: a deployment that
    wakes parked tasks may have come just before.
    """
    now = worker.now_ms()
    write = protocol.park(
        lease,
        why=misfit.text(at_ms=now, by=code_name(worker)),
        message=f"parked: {misfit.why}",
        now_ms=now,
        ended_ms=ended_ms,
        due_at_ms=now + SECOND_LOOK_MS,
    )
    try:
        outcome = await worker.store.write(write)
    except NotStorable:  # the record is full: what it waits for comes before its history
        outcome = await worker.store.write(protocol.without_history(write))
    item = outcome.item
    ours = item is not None and item["v"] == lease.v and item["phase"] == Phase.PARKED.value
    if not (isinstance(outcome, Applied) or ours):
        worker.log.warning("park.refused", task_id=job.task_id)
        return await stand_back(worker, job, item)
    job.recorded_as("parked")
    worker.log.warning("task.parked", task_id=job.task_id, why=misfit.why)
    return Disposition.DELETE


def code_name(worker: WorkerContext) -> str:
    """Return what the code of a worker's agent is called: its version, or its module's digest."""
    if worker.spec.version is not None:
        return worker.spec.version
    if worker.agent is None:
        return ""
    function = worker.agent.function
    try:
        source = Path(function.__code__.co_filename).read_bytes()
    except (AttributeError, OSError):
        return ""
    return f"{function.__module__} {sha256(source).hexdigest()[:_DIGITS]}"
