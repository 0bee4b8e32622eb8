"""Limit: at most so many tasks of a key run at one time, however many workers there are.

A slot is taken before a task is acquired and held by a lease of the same time, so that a dead
worker's slot is free when its task is. A task that finds none free is hidden, the longer the
oftener; it is not acquired, so it uses up no attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import attempt
from sqswarm.schemas.agent_spec import LEASE_MARGIN_S, WAITED_RECEIVES, Limit
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.protocol.limit import Slot, give_back, limited_by, slots_key, take
from sqswarm.schemas.task import iso
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Applied, Item, Key
from sqswarm.workers.runtime.decide import backoff_s
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import WorkerContext

_LONGEST_WAIT_S = 30
"""Longest time until a task looks for a slot again."""
_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """The jobs that have slots, and those that wait by a new message: theirs can be deleted.

    All others are hidden, and come again.
    """

    jobs: list[Job]
    sent_anew: list[Job]


async def take_slots(worker: WorkerContext, limit: Limit, jobs: Sequence[Job]) -> Admitted:
    """Take slots for as many of the jobs as there are, for those first that came first.

    One whose deadline is over runs no more, and an undo is held back by nothing: it needs none.
    """
    now = iso(worker.now_ms())
    ended = [job for job in jobs if (job.message.deadline or now) < now]
    jobs = [job for job in jobs if job not in ended]
    keys = await worker.runner.gather([attempt(_key(worker, limit, job)) for job in jobs])
    waiting: dict[Key, list[Job]] = {}
    for job, key in sorted(zip(jobs, keys, strict=True), key=lambda pair: pair[0].delivery.sent_ms):
        if isinstance(key, Key):
            waiting.setdefault(key, []).append(job)
        else:
            worker.log.error("slot.failed", task_id=job.task_id, error=repr(key))
    slots = await _take(worker, limit.count, waiting)
    # A worker that stood still meanwhile may have outlived what it took.
    late_ms = worker.now_ms() + 1000 * LEASE_MARGIN_S
    slots = {token: slot for token, slot in slots.items() if slot.until_ms > late_ms}
    without = [job for job in jobs if job.token not in slots]
    waits = await worker.runner.gather([attempt(_wait(worker, job)) for job in without])
    return Admitted(
        jobs=ended + [replace(job, slot=slots[job.token]) for job in jobs if job.token in slots],
        sent_anew=[job for job, anew in zip(without, waits, strict=True) if anew is True],
    )


async def give_slots_back(worker: WorkerContext, jobs: Sequence[Job]) -> None:
    """Give the slots of jobs back, in one call; raises nothing: in time they are over anyway."""
    held: dict[Key, list[str]] = {}
    for job in jobs:
        if job.slot is not None:
            held.setdefault(job.slot.key, []).append(job.slot.token)
    if not held:
        return
    writes = [give_back(key, tokens) for key, tokens in held.items()]
    failed = await attempt(worker.store.write_many(writes))
    if isinstance(failed, Exception):
        worker.log.warning("slot.kept", error=repr(failed))


async def _key(worker: WorkerContext, limit: Limit, job: Job) -> Key:
    tags = job.message.tags or {}
    shared = limited_by(worker.spec, limit, await _arguments(worker, limit, job), tags)
    return slots_key(worker.spec.name, shared)


async def _arguments(worker: WorkerContext, limit: Limit, job: Job) -> JsonObject:
    """Return a job's arguments where they are needed; none where there are none to be read.

    Such a task ends without running, under a slot of those that name nothing.
    """
    message = job.message
    named = limit.per is not None and limit.per in worker.spec.input_schema.get("properties", {})
    if not named or message.payload_ref is None:
        return message.arguments or {}
    data = await worker.blobs.get(message.payload_ref)
    try:
        arguments = {} if data is None else loads(data)
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


async def _take(
    worker: WorkerContext, count: int, waiting: Mapping[Key, Sequence[Job]]
) -> dict[str, Slot]:
    """Return the slots that could be taken, by their tokens."""
    taken: dict[str, Slot] = {}
    items: dict[Key, Item | None] = dict.fromkeys(waiting)
    items.update(await worker.store.read_many([*waiting]))
    for _ in range(_TRIES):
        now_ms = worker.now_ms()
        until_ms = now_ms + 1000 * worker.spec.lease_s
        tries = {
            key: take(
                key,
                before,
                [job.token for job in waiting[key]],
                count=count,
                now_ms=now_ms,
                until_ms=until_ms,
            )
            for key, before in items.items()
        }
        writes = {key: write for key, (write, _) in tries.items() if write is not None}
        for write, slots in tries.values():
            if write is None:
                taken.update({slot.token: slot for slot in slots})
        items = {}
        if not writes:
            break
        outcomes = await worker.store.write_each([*writes.values()])
        for key, outcome in zip(writes, outcomes, strict=True):
            if isinstance(outcome, Applied):
                taken.update({slot.token: slot for slot in tries[key][1]})
            elif isinstance(outcome, Exception):
                worker.log.error("slot.failed", error=repr(outcome))
            else:
                items[key] = outcome.item
        if not items:
            break
        await worker.runner.sleep(0.01 + 0.05 * worker.runner.jitter())
    return taken


async def _wait(worker: WorkerContext, job: Job) -> bool:
    """Let a job look for a slot later; tell whether by a new message, in place of its own.

    SQS gives a message up that was received too often, however good the reasons were.
    """
    received = job.delivery.receive_count
    wait_s = backoff_s(received, jitter=worker.runner.jitter(), base_s=1, cap_s=_LONGEST_WAIT_S)
    worker.log.info("slot.awaited", task_id=job.task_id, in_s=wait_s)
    if received < WAITED_RECEIVES:
        await worker.hide(job, seconds=wait_s)
        return False
    anew = Outgoing(
        id=job.task_id,
        body=job.delivery.body,
        principal=job.message.principal,
        agent=worker.spec.name,
    )
    await worker.bus.send(worker.queue, [anew], delay_s=wait_s)
    return True
