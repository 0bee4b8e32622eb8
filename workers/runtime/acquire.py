"""Acquire: take the leases of a batch in one call, and decide the refused ones one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Literal

from sqswarm.backends.ports.bus import DELAY_LIMIT_S, Delivery
from sqswarm.backends.ports.store import all_written
from sqswarm.backends.runner import attempt
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.dispatcher.middleware import tell_ended
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import Began
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.errors import NotStorable, PoisonMessage
from sqswarm.schemas.history import began
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.task import TaskRecord, contradiction, task_key
from sqswarm.schemas.writes import Applied, Refused, Write, WriteOutcome
from sqswarm.workers.runtime import decide
from sqswarm.workers.runtime.activity import write_with_activity
from sqswarm.workers.runtime.completion import Ended, dead_letter_poison, run_completion
from sqswarm.workers.runtime.decide import Standing
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.versions import hand_over
from sqswarm.workers.runtime.worker_context import WorkerContext

_ROUNDS = 5
"""Times a refused acquire is decided again: each means that somebody else moved on meanwhile."""
_LONGEST_HIDE_S = 300
"""Longest time until a message comes again whose task nobody could look at."""


class Disposition(Enum):
    """What becomes of a delivery's message."""

    DELETE = "delete"
    KEEP = "keep"


async def acquire(worker: WorkerContext, jobs: Sequence[Job]) -> list[Lease | Disposition]:
    """Return, for each job, our lease on its task, or what to do with its message instead.

    What is wrong with one costs the others nothing, least of all the leases they have by then.
    """
    asked_ms = worker.now_ms()
    tries = [_first_try(worker, job, asked_ms) for job in jobs]
    writes = [tried for tried in tries if isinstance(tried, Write)]
    begun = [
        Began(task_id=job.task_id, principal=job.message.principal, at_ms=asked_ms)
        for job, tried in zip(jobs, tries, strict=True)
        if not isinstance(tried, Exception)
    ]
    if not writes:  # none of them is listed before its end: see that the first end lists them all
        worker.activity.add(begun, unlisted=True)
    outcomes = iter(await write_with_activity(worker, writes, begun) if writes else ())
    return await worker.runner.gather(
        [
            _decided(worker, job, next(outcomes) if isinstance(tried, Write) else tried, asked_ms)
            for job, tried in zip(jobs, tries, strict=True)
        ]
    )


def _first_try(worker: WorkerContext, job: Job, asked_ms: int) -> Write | Lease | Exception:
    """Return the write that succeeds unless something unusual happened to the task.

    A task with a record names its version in the message; an event's hint is only for the
    subscribers whose records its publisher made. A lean task needs no write.
    """
    hint = job.message.v
    if job.message.topic is not None and worker.spec.durability is not Durability.DURABLE:
        hint = None
    try:
        if job.is_lean(worker.spec):
            _check_unbacked(worker, job)
            return job.lean_lease(worker.spec, began=_began(worker, job, asked_ms))
        if hint is None:
            return _acquire_new(worker, job, asked_ms)
        return _acquire(worker, job, hint, None)
    except Exception as error:
        return error


def _check_unbacked(worker: WorkerContext, job: Job) -> None:
    """Raise PoisonMessage where the message claims what only a record could back."""
    own = worker.blobs.address(job.message.arguments_key)
    if poison := job.message.unbacked(payload_ref=own):
        raise poison


def attempts_limit(worker: WorkerContext, record: TaskRecord | None) -> int:
    """Return the number of a task's last attempt, which may be at an undo."""
    limit = worker.spec.max_attempts
    return limit if record is None else record.attempts_limit(limit)


async def put_poison_aside(
    worker: WorkerContext, delivery: Delivery, poison: PoisonMessage
) -> Disposition:
    """Put a message that no agent can ever run aside, and return what becomes of it."""
    try:
        await dead_letter_poison(worker, delivery, poison)
    except Exception as error:
        worker.log.error("dead-letter.failed", error=repr(error))
        return Disposition.KEEP
    return Disposition.DELETE


def _began(worker: WorkerContext, job: Job, at_ms: int) -> str:
    code = "" if worker.code is None else f"@{worker.code}"
    return began(at_ms, worker.name, job.request_id, f"{worker.spec.version or ''}{code}")


def _acquire_new(worker: WorkerContext, job: Job, asked_ms: int) -> Write:
    _check_unbacked(worker, job)
    now = worker.now_ms()
    return protocol.acquire_new(
        replace(job.record(worker.spec, now_ms=now), code=worker.code),
        token=job.token,
        lease_until_ms=now + 1000 * worker.spec.lease_s,
        began=_began(worker, job, asked_ms),
    )


def _acquire(worker: WorkerContext, job: Job, expected: str, record: TaskRecord | None) -> Write:
    now = worker.now_ms()
    return protocol.acquire(
        task_key(worker.spec.name, job.task_id),
        expected=expected,
        max_attempts=attempts_limit(worker, record),
        token=job.token,
        now_ms=now,
        lease_until_ms=now + 1000 * worker.spec.lease_s,
        began=_began(worker, job, now),
        record=record,
        code=worker.code,
    )


def _lease(worker: WorkerContext, job: Job, record: TaskRecord | None, asked_ms: int) -> Lease:
    """Return our lease. It ends when the table says, or (made blindly) no later than that.

    Reckoned from the answer it would look longer than it is, by as long as that took: who renews
    leases must know when to let go.
    """
    until_ms = asked_ms + 1000 * worker.spec.lease_s if record is None else record.lease_until_ms
    return Lease(
        agent=worker.spec.name,
        task_id=job.task_id,
        v=job.token,
        attempt=1 if record is None else record.attempt,
        until_ms=until_ms,
        durability=worker.spec.durability,
        record=record,
        began=_began(worker, job, asked_ms) if record is None else record.began,
    )


async def _decided(
    worker: WorkerContext, job: Job, tried: WriteOutcome | Lease | Exception, asked_ms: int
) -> Lease | Disposition:
    try:
        if isinstance(tried, Lease):
            return tried
        if isinstance(tried, PoisonMessage):  # it names no version: is there a record all the same?
            tried = Refused(item=await worker.store.read(task_key(worker.spec.name, job.task_id)))
        [outcome] = all_written([tried])
        return await _decide(worker, job, outcome, asked_ms)
    except PoisonMessage as poison:
        return await put_poison_aside(worker, job.delivery, poison)
    except NotStorable as error:
        unfit = PoisonMessage("not-storable", str(error))
        return await put_poison_aside(worker, job.delivery, unfit)
    except Exception as error:
        # It alone comes again: the leases of the others are taken already.
        worker.log.error("acquire.failed", error=repr(error), task_id=job.task_id)
        await come_again(worker, job)
        return Disposition.KEEP


async def come_again(worker: WorkerContext, job: Job) -> None:
    """Hide a message whose task nobody could look at, the longer the oftener it was received.

    A table that is out of reach for a while uses up few of the receives after which SQS gives
    a message up, and once it is back, nothing waits for its queue's whole visibility.
    """
    wait_s = decide.backoff_s(
        job.delivery.receive_count, jitter=worker.runner.jitter(), cap_s=_LONGEST_HIDE_S
    )
    failed = await attempt(worker.hide(job, seconds=wait_s))
    if failed is not None:
        worker.log.warning("hide.failed", error=repr(failed))


async def _decide(
    worker: WorkerContext, job: Job, outcome: WriteOutcome, asked_ms: int
) -> Lease | Disposition:
    for _ in range(_ROUNDS):
        if outcome.item is None:
            if isinstance(outcome, Applied):
                return _lease(worker, job, None, asked_ms)  # this acquire made the record
            asked_ms = worker.now_ms()
            outcome = await worker.store.write(_acquire_new(worker, job, asked_ms))
            continue
        record = TaskRecord.from_item(outcome.item)
        if poison := contradiction(job.message, record, agent=worker.spec.name):
            if record.v != job.token:
                raise poison
            # Whoever wrote it knew the version: the task is run, as its record has it.
            await put_poison_aside(worker, job.delivery, poison)
        if isinstance(outcome, Applied):
            return _lease(worker, job, record, asked_ms)
        answer = await _next_step(worker, job, record)
        if answer is Standing.OURS:
            return _lease(worker, job, record, asked_ms)
        if not isinstance(answer, Write):
            return answer
        outcome = await worker.store.write(answer)
        if isinstance(outcome, Applied) and outcome.item and outcome.item["v"] != job.token:
            # Not an acquire: it has just been woken, or failed with its attempts used up. Decide
            # again: an ended task's effects and message are dealt with there.
            await _tell_if_ended(worker, TaskRecord.from_item(outcome.item))
            outcome = Refused(item=outcome.item)
    await worker.hide(job, seconds=1)
    return Disposition.KEEP


async def _tell_if_ended(worker: WorkerContext, record: TaskRecord) -> None:
    if record.status.terminal:
        now_ms = worker.now_ms()
        await tell_ended(record, record.status, now_ms=now_ms, error=record.error, lost=True)


async def _next_step(  # noqa: C901, PLR0912 - one case a standing
    worker: WorkerContext, job: Job, record: TaskRecord
) -> Write | Literal[Standing.OURS] | Disposition:
    now = worker.now_ms()
    limit = worker.spec.max_attempts
    match decide.standing(record, token=job.token, max_attempts=limit, now_ms=now):
        case Standing.ENDED, _:
            await run_completion(worker, Ended.of(job, record))
            return Disposition.DELETE
        case ((Standing.AWAITING_INPUT | Standing.PARKED), _):
            return Disposition.DELETE
        case Standing.WAITING, _:
            from sqswarm.dispatcher.lifecycle.children import repair_waiting

            # Its worker may have died between the plan and the children, or a count and the join.
            await repair_waiting(await worker.connection.with_catalogue(), record)
            return Disposition.DELETE
        case Standing.ASLEEP, 0:
            return protocol.wake(
                record,
                v=new_version(worker.runner.random_bits),
                now_ms=now,
                due_at_ms=now + DUE_GRACE_MS,
            )
        case Standing.ASLEEP, seconds if seconds <= DELAY_LIMIT_S:
            await worker.hide(job, seconds=seconds)
            return Disposition.KEEP
        case Standing.ASLEEP, _:
            return Disposition.DELETE
        case Standing.LEASED_BY_ANOTHER, seconds:
            worker.log.info("delivery.repeated", task_id=job.task_id, hidden_s=seconds)
            await worker.hide(job, seconds=seconds)
            return Disposition.KEEP
        case Standing.OURS, _:
            return Standing.OURS
        case Standing.PAUSED, _:
            v = new_version(worker.runner.random_bits)
            return protocol.park_paused(record, v=v, now_ms=now)
        case Standing.FREE, _:
            if not await hand_over(worker, job, record.code):
                return Disposition.KEEP
            return _acquire(worker, job, record.v, record)
        case Standing.EXHAUSTED, _:
            from sqswarm.dispatcher.lifecycle.undo import (
                begin_undo_lost,
                error_of_lost,
                is_undone_first,
            )

            why = f"the worker was lost {record.attempt} times"
            if is_undone_first(record):
                return begin_undo_lost(worker.connection, record, why)
            return protocol.fail_exhausted(
                record,
                error=await error_of_lost(worker.connection, record, why),
                now_ms=now,
                expires_s=worker.expires_s(child=record.parent is not None),
                owes=record.parent is not None,
                owes_until_ms=worker.owes_until_ms(job.of_record(record).message),
            )
