"""Acquire: take the leases of a batch in one call, and decide the refused ones one by one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from sqswarm.backends.ports.bus import DELAY_LIMIT_S
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.dispatcher.lifecycle.children import look_after
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied, Outcome, Refused, Write
from sqswarm.workers.runtime import standing as at
from sqswarm.workers.runtime.completion import Ended, carry_out
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import Station

_ROUNDS = 5
"""Times a refused acquire is decided again: each means that somebody else moved on meanwhile."""


class Fate(Enum):
    """What becomes of a delivery's message."""

    DELETE = "delete"
    KEEP = "keep"


async def acquire(station: Station, jobs: Sequence[Job]) -> list[Lease | Fate]:
    """Return, for each job, our lease on its task, or what to do with its message instead."""
    asked_ms = station.now_ms()
    outcomes = await station.store.write_many(
        [_first_try(station, job) for job in jobs if not job.is_lean(station.spec)]
    )
    answers = iter(outcomes)
    return await station.runner.gather(
        [
            _lean(station, job)
            if job.is_lean(station.spec)
            else _decided(station, job, next(answers), asked_ms)
            for job in jobs
        ]
    )


async def _lean(station: Station, job: Job) -> Lease | Fate:
    return job.lean_lease(station.spec)


def _first_try(station: Station, job: Job) -> Write:
    """Return the write that succeeds unless something unusual happened to the task.

    A task with a record names its version in the message; an event's hint is only for the
    subscribers whose records its publisher made.
    """
    hint = job.message.v
    if job.message.topic is not None and station.spec.durability is not Durability.DURABLE:
        hint = None
    return _acquire_new(station, job) if hint is None else _acquire(station, job, hint)


def _acquire_new(station: Station, job: Job) -> Write:
    now = station.now_ms()
    return protocol.acquire_new(
        job.record(station.spec, now_ms=now),
        token=job.token,
        lease_until_ms=now + 1000 * station.spec.lease_s,
    )


def _acquire(station: Station, job: Job, expected: str) -> Write:
    now = station.now_ms()
    return protocol.acquire(
        job.task_id,
        expected=expected,
        max_attempts=station.spec.max_attempts,
        token=job.token,
        now_ms=now,
        lease_until_ms=now + 1000 * station.spec.lease_s,
    )


def _lease(station: Station, job: Job, record: TaskRecord | None, asked_ms: int) -> Lease:
    """Return our lease. It ends when the table says, or (made blindly) no later than that.

    Reckoned from the answer it would look longer than it is, by as long as that took: who renews
    leases must know when to let go.
    """
    until_ms = asked_ms + 1000 * station.spec.lease_s if record is None else record.lease_until_ms
    return Lease(
        task_id=job.task_id,
        v=job.token,
        attempt=1 if record is None else record.attempt,
        until_ms=until_ms,
        durability=station.spec.durability,
        record=record,
    )


async def _decided(station: Station, job: Job, outcome: Outcome, asked_ms: int) -> Lease | Fate:
    try:
        return await _decide(station, job, outcome, asked_ms)
    except Exception as error:
        # It alone comes again: the leases of the others are taken already.
        station.log.error("acquire.failed", error=repr(error), task_id=job.task_id)
        return Fate.KEEP


async def _decide(station: Station, job: Job, outcome: Outcome, asked_ms: int) -> Lease | Fate:
    for _ in range(_ROUNDS):
        if isinstance(outcome, Applied):
            item = outcome.item  # none where the acquire made the record
            record = TaskRecord.from_item(item) if item else None
            return _lease(station, job, record, asked_ms)
        if outcome.item is None:
            asked_ms = station.now_ms()
            outcome = await station.store.write(_acquire_new(station, job))
            continue
        record = TaskRecord.from_item(outcome.item)
        answer = await _next_step(station, job, record)
        if isinstance(answer, at.Ours):
            return _lease(station, job, record, asked_ms)
        if not isinstance(answer, Write):
            return answer
        outcome = await station.store.write(answer)
        if isinstance(outcome, Applied) and outcome.item and outcome.item["v"] != job.token:
            # Not an acquire: it has just been woken, or failed with its attempts used up. Decide
            # again: an ended task's effects and message are dealt with there.
            outcome = Refused(item=outcome.item)
    await station.hide(job, seconds=1)
    return Fate.KEEP


async def _next_step(  # noqa: C901 - one case a standing
    station: Station, job: Job, record: TaskRecord
) -> Write | at.Ours | Fate:
    now = station.now_ms()
    limit = station.spec.max_attempts
    match at.standing(record, token=job.token, max_attempts=limit, now_ms=now):
        case at.Ended():
            await carry_out(station, [Ended.of(job, record)])
            return Fate.DELETE
        case at.Parked():
            return Fate.DELETE
        case at.Waiting():
            # Its worker may have died between the plan and the children, or a count and the join.
            await look_after(await station.desk(), record)
            return Fate.DELETE
        case at.Asleep(for_s=0):
            return protocol.wake(record, v=new_version(), now_ms=now, due_at_ms=now + DUE_GRACE_MS)
        case at.Asleep(for_s=seconds) if seconds <= DELAY_LIMIT_S:
            await station.hide(job, seconds=seconds)
            return Fate.KEEP
        case at.Asleep():
            return Fate.DELETE
        case at.LeasedByAnother(for_s=seconds):
            station.log.info("delivery.repeated", task_id=job.task_id, hidden_s=seconds)
            await station.hide(job, seconds=seconds)
            return Fate.KEEP
        case at.Ours() as ours:
            return ours
        case at.Free():
            return _acquire(station, job, record.v)
        case at.Exhausted():
            return protocol.fail_exhausted(
                job.task_id,
                expected=record.v,
                error=error_object(
                    "WorkerLost",
                    f"the worker was lost {record.attempt} times",
                    attempt=record.attempt,
                ),
                now_ms=now,
                expires_s=station.expires_s(child=record.parent is not None),
                owes=record.parent is not None,
            )
