"""Effects: what an ended task still owes the world. All may be repeated without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.backends.ports.bus import DeadLetter, Delivery
from sqswarm.dispatcher.lifecycle.completion import Debt, pay
from sqswarm.dispatcher.lifecycle.dead_letters import failure_letter
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord, iso
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import Station


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
    def debt(self) -> Debt | None:
        """Return what it owes other tasks, if anything."""
        if self.record is not None:
            debt = Debt.of(self.record)
        else:
            parent = self.job.message.parent
            debt = Debt(
                task_id=self.job.task_id, status=self.status, parent=parent, due=parent is not None
            )
        return debt if debt.parent is not None or debt.due else None


async def carry_out(station: Station, ended: Sequence[Ended]) -> None:
    """Do what ended tasks owe: a failed one is put aside with its reason, a child is counted.

    Runs after the settle and before the message is deleted, so a crash between repeats it.
    """
    failed = [one for one in ended if one.status is Status.FAILED and one.error is not None]
    await station.runner.gather([_put_failed_aside(station, one) for one in failed])
    debts = [debt for one in ended if (debt := one.debt) is not None]
    if debts:
        await pay(await station.desk(), debts)


async def _put_failed_aside(station: Station, ended: Ended) -> None:
    letter = failure_letter(
        ended.job.task_id,
        body=ended.job.delivery.body,
        error=ended.error or {},
        now_ms=station.now_ms(),
    )
    group = ended.job.delivery.group
    await station.bus.dead_letter(station.dead_letter_queue, letter, group=group)


async def put_aside(station: Station, delivery: Delivery, poison: PoisonMessage) -> None:
    """Put a message that no agent can ever run into the dead-letter queue, with the reason."""
    station.log.error("message.poisoned", reason=poison.reason, detail=str(poison))
    letter = DeadLetter(
        body=delivery.body,
        reason=poison.reason,
        detail=str(poison),
        failed_at=iso(station.now_ms()),
    )
    await station.bus.dead_letter(station.dead_letter_queue, letter, group=delivery.group)
