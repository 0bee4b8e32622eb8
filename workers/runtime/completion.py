"""Completion: what an ended task still owes the world. All of it may be repeated harmlessly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqswarm.backends.ports.bus import Delivery
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.value import dataclass
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import WorkerContext

if TYPE_CHECKING:  # only tasks with a parent or children need it
    from sqswarm.dispatcher.lifecycle.completion import Completion


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A task that has ended, its delivery still in our hands. `record` where it was read."""

    job: Job
    status: Status
    error: JsonObject | None
    record: TaskRecord | None = None

    @classmethod
    def of(cls, job: Job, record: TaskRecord) -> Ended:
        """Return what a delivery found: somebody else has ended its task."""
        return cls(job=job, status=record.status, error=record.error, record=record)

    @property
    def completion(self) -> Completion | None:
        """Return what it owes other tasks, if anything."""
        record, message = self.record, self.job.message
        if record is None and message.parent is None:
            return None
        from sqswarm.dispatcher.lifecycle.completion import Completion

        if record is None:
            return Completion(
                key=task_key(message.name, self.job.task_id),
                status=self.status,
                parent=message.parent,
                parent_agent=message.parent_agent,
                due=True,
            )
        completion = Completion.of(record)
        return completion if completion.parent is not None or completion.due else None


async def run_completions(worker: WorkerContext, ended: Sequence[Ended]) -> None:
    """Do what ended tasks owe: a failed one is put aside with its reason, a child is counted.

    Runs after the settle and before the message is deleted, so a crash between repeats it.
    """
    failed = [one for one in ended if one.status is Status.FAILED and one.error is not None]
    await worker.runner.gather([_put_failed_aside(worker, one) for one in failed])
    completions = [completion for one in ended if (completion := one.completion) is not None]
    if completions:
        from sqswarm.dispatcher.lifecycle.completion import apply_completions

        await apply_completions(await worker.connection.with_catalogue(), completions)


async def _put_failed_aside(worker: WorkerContext, ended: Ended) -> None:
    from sqswarm.dispatcher.lifecycle.dead_letters import dead_letter_of_failure

    letter = dead_letter_of_failure(
        ended.job.task_id,
        body=ended.job.delivery.body,
        error=ended.error or {},
        now_ms=worker.now_ms(),
    )
    group = ended.job.delivery.group
    await worker.bus.dead_letter(worker.dead_letter_queue, letter, group=group)


async def dead_letter_poison(
    worker: WorkerContext, delivery: Delivery, poison: PoisonMessage
) -> None:
    """Put a message that no agent can ever run into the dead-letter queue, with the reason."""
    from sqswarm.dispatcher.lifecycle.dead_letters import dead_letter_of_poison

    worker.log.error("message.poisoned", reason=poison.reason, detail=str(poison))

    letter = dead_letter_of_poison(delivery.body, poison, now_ms=worker.now_ms())
    await worker.bus.dead_letter(worker.dead_letter_queue, letter, group=delivery.group)
