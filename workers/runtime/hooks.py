"""Hooks: what middleware hears of a batch and its attempts, where anybody listens."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqswarm.dispatcher import middleware
from sqswarm.schemas.baggage import baggage_entries
from sqswarm.schemas.journal import entries
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.results import error_type_of
from sqswarm.schemas.task import TaskRecord
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.outcome import Broke, Failed, Outcome, UndoBroke, Undone
from sqswarm.workers.runtime.worker_context import WorkerContext

if TYPE_CHECKING:  # made only where somebody listens
    from sqswarm.schemas.heard import Attempt

T = TypeVar("T")

_ENDS = {Status.COMPLETED.value, Status.FAILED.value, Status.CANCELLED.value}


class Hooks:
    """One batch's. Where nobody listens, its jobs carry nothing to tell and all of it is nothing.

    An attempt's hooks are called in its own context, and those after it beside whatever else the
    batch does: a slow one delays no result.
    """

    def __init__(self, worker: WorkerContext) -> None:
        """Begin the batch."""
        self._worker = worker
        self._began_ms = worker.now_ms()
        self._attempts: list[Attempt] = []
        self._contexts: dict[str, contextvars.Context] = {}
        self._after: list[asyncio.Task[None]] = []

    def told(self, job: Job, lease: Lease) -> Job:
        """Return the job with what middleware is to hear of it."""
        if not middleware.heard("before_attempt", "after_attempt", "after_task", "after_batch"):
            return job
        attempt = _attempt(job, lease, now_ms=self._worker.now_ms())
        self._attempts.append(attempt)
        return replace(job, told=attempt)

    def start(self, job: Job, run: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a job's run in a context of its own."""
        context = contextvars.copy_context()
        if job.told is not None:
            self._contexts[job.delivery.message_id] = context
        return asyncio.create_task(run, context=context)

    async def began(self, job: Job) -> None:
        """Tell of an attempt that begins."""
        if job.told is not None:
            await middleware.tell("before_attempt", job.told)

    def ended(self, job: Job) -> None:
        """Note when the run ended; what becomes of it is known later."""
        if job.told is not None and job.told.ended_ms is None:
            job.told.ended_ms = self._worker.now_ms()

    def over(self, job: Job) -> None:
        """Tell of an attempt, once what became of it is recorded, or known to be lost."""
        if job.told is not None:
            job.told.recorded_ms = self._worker.now_ms()
            context = self._contexts[job.delivery.message_id]
            self._after.append(asyncio.create_task(_over(job.told), context=context))

    async def attempts_told(self) -> None:
        """Wait until all that is over has been told."""
        if self._after:
            after, self._after = self._after, []
            await asyncio.wait(after)

    async def batch_over(self, *, messages: int, poisoned: int, left_s: float | None) -> None:
        """Tell of the batch."""
        if middleware.heard("after_batch"):
            from sqswarm.schemas.heard import Batch

            batch = Batch(
                agent=self._worker.spec.name,
                messages=messages,
                began_ms=self._began_ms,
                ended_ms=self._worker.now_ms(),
                attempts=self._attempts,
                poisoned=poisoned,
                left_s=left_s,
            )
            await middleware.tell("after_batch", batch)


def note_outcome(job: Job, outcome: Outcome, *, ended_ms: int) -> None:
    """Note when an attempt ended, and what it broke or failed with."""
    if job.told is not None:
        job.told.ended_ms = ended_ms
    if job.told is not None and isinstance(outcome, Undone) and outcome.undoing.error is not None:
        error = outcome.undoing.error
        job.told.error_type, job.told.error = error_type_of(error), str(error.get("message", ""))
    if job.told is not None and isinstance(outcome, Broke | Failed | UndoBroke):
        job.told.error_type, job.told.error = outcome.error_type, outcome.message
        job.told.exception = outcome.exception


async def _over(attempt: Attempt) -> None:
    attempt.outcome = attempt.outcome or "lost"
    await middleware.tell("after_attempt", attempt)
    if attempt.outcome in _ENDS:
        from sqswarm.schemas.heard import TaskEnd

        await middleware.tell("after_task", TaskEnd.of_attempt(attempt))


def _attempt(job: Job, lease: Lease, *, now_ms: int) -> Attempt:
    from sqswarm.schemas.heard import Attempt

    message, record = job.message, lease.record
    began_ms = now_ms if lease.began is None else int(lease.began.partition(" ")[0])
    ready_ms = _ready_ms(job, record, now_ms=began_ms)
    return Attempt(
        task_id=job.task_id,
        agent=lease.agent,
        principal=message.principal,
        number=lease.attempt,
        created_ms=ready_ms if record is None else record.created_ms,
        ready_ms=ready_ms,
        began_ms=began_ms,
        parent=message.parent and message.parent.partition("#")[0],
        parent_agent=message.parent_agent,
        topic=message.topic,
        session_id=message.session_id,
        redriven_from=message.redriven_from,
        traceparent=message.traceparent,
        tracestate=message.tracestate,
        baggage=baggage_entries(message.baggage),
        record=record,
    )


def _ready_ms(job: Job, record: TaskRecord | None, *, now_ms: int) -> int:
    """Return when an attempt could have begun. A sleeper's message was sent at the sleep's start.

    SQS's clock is another than ours: nothing is sent in the future.
    """
    sent_ms = min(job.delivery.sent_ms or now_ms, now_ms)
    waited = entries(record.waits) if record is not None else []
    over_ms = waited[-1].get("until", 0) if waited else 0
    return max(sent_ms, over_ms) if over_ms <= now_ms else sent_ms
