"""Rate limit: tasks of an agent start at its rate, however many workers there are.

A task that comes too early gets a slot of its own and is hidden until then; it is not acquired,
so it uses up no attempt. The slot is kept beside its record: it waits once, not once a receipt.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import HIDE_LIMIT_S
from sqswarm.schemas.agent_spec import Rate
from sqswarm.schemas.protocol.rate_limit import (
    bucket_key,
    move_bucket,
    record_slot,
    reserve,
    slot_key,
)
from sqswarm.schemas.writes import Applied
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import WorkerContext

_EARLY_MS = 250
_TRIES = 20
_KEPT_S = 24 * 3600


async def rate_limit(worker: WorkerContext, jobs: Sequence[Job]) -> list[Job]:
    """Return the jobs whose slot has come; the others are hidden until theirs."""
    rate = worker.spec.rate
    if rate is None or not jobs:
        return list(jobs)
    again = [job for job in jobs if job.delivery.receive_count > 1]
    keys = {job.task_id: slot_key(worker.spec.name, job.task_id) for job in jobs}
    slots = await worker.store.read_many([keys[job.task_id] for job in again])
    now_ms = worker.now_ms()
    starts: dict[str, int] = {}
    for job in again:
        slot = slots.get(keys[job.task_id])
        # A slot is for one receipt: a retry of the agent asks for another.
        if slot is not None and slot["receives"] + 1 == job.delivery.receive_count:
            starts[job.task_id] = slot["at"]
    without = [job for job in jobs if job.task_id not in starts]
    reserved = await _reserve(worker, rate, len(without)) if without else []
    starts.update(zip([job.task_id for job in without], reserved, strict=True))
    early = [job for job in jobs if starts[job.task_id] > now_ms + _EARLY_MS]
    await worker.store.write_many(
        [
            record_slot(
                keys[job.task_id],
                slots.get(keys[job.task_id]),
                at_ms=starts[job.task_id],
                receives=job.delivery.receive_count,
                expires_s=max(now_ms, starts[job.task_id]) // 1000 + _KEPT_S,
            )
            for job in early
        ]
    )
    await worker.runner.gather(
        [_hide(worker, job, until_ms=starts[job.task_id], now_ms=now_ms) for job in early]
    )
    late = {job.task_id for job in early}
    return [job for job in jobs if job.task_id not in late]


async def _hide(worker: WorkerContext, job: Job, *, until_ms: int, now_ms: int) -> None:
    wait_s = min(HIDE_LIMIT_S, -((now_ms - until_ms) // 1000))
    worker.log.info("turn.given", task_id=job.task_id, in_s=wait_s)
    await worker.hide(job, seconds=wait_s)


async def _reserve(worker: WorkerContext, rate: Rate, slots: int) -> list[int]:
    """Take slots from the shared bucket; returns when each is (Unix milliseconds)."""
    name = worker.spec.name
    before = await worker.store.read(bucket_key(name))
    for _ in range(_TRIES):
        starts, after = reserve(
            before["arrival_us"] if before else 0,
            now_us=1000 * worker.now_ms(),
            slots=slots,
            rate=rate,
        )
        outcome = await worker.store.write(move_bucket(name, before, arrival_us=after))
        if isinstance(outcome, Applied):
            return [-(-start // 1000) for start in starts]
        before = outcome.item
        await worker.runner.sleep(0.01 + 0.05 * worker.runner.jitter())
    message = f"the rate bucket of {name!r} is too busy"
    raise RuntimeError(message)
