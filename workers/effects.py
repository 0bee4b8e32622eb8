"""Effects: what an ended task still owes the world. All may be repeated without harm."""

from __future__ import annotations

from backends.bus.port import DeadLetter, Delivery
from schemas.errors import PoisonMessage
from schemas.json import JsonObject
from schemas.lifecycle import Status
from schemas.task import iso
from workers.job import Job
from workers.station import Station


async def carry_out(
    station: Station, job: Job, *, status: Status, error: JsonObject | None
) -> None:
    """Do what a task that ended with `status` owes: a failed one is put aside with its reason.

    Runs after the settle and before the message is deleted, so a crash between repeats it.
    """
    if status is Status.FAILED and error is not None:
        data = error.get("data", {})
        letter = DeadLetter(
            body=job.delivery.body,
            reason=str(data.get("type", "failed")),
            detail=str(error.get("message", "")),
            task_id=job.task_id,
            failed_at=iso(station.now_ms()),
            attempts=int(data.get("attempt", 0)),
        )
        await station.bus.dead_letter(station.dead_letter_queue, letter, group=job.delivery.group)


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
