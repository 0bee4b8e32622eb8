"""Effects: what an ended task still owes the world. All may be repeated without harm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.bus.port import DeadLetter, Delivery
from dispatcher.owed import Debt, pay
from schemas.errors import PoisonMessage
from schemas.json import JsonObject
from schemas.lifecycle import Status
from schemas.task import TaskRecord, iso
from workers.job import Job
from workers.station import Station


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


def failure_letter(task_id: str, *, body: str, error: JsonObject, now_ms: int) -> DeadLetter:
    """Return the letter that a finally failed task leaves."""
    data = error.get("data", {})
    return DeadLetter(
        body=body,
        reason=str(data.get("type", "failed")),
        detail=str(error.get("message", "")),
        task_id=task_id,
        failed_at=iso(now_ms),
        attempts=int(data.get("attempt", 0)),
    )


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
