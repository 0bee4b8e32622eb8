"""The operation of a step: its outcome, recorded once under the task's fence."""

from __future__ import annotations

from schemas.operations.run import Lease, held, payload_of
from schemas.payload import Payload
from schemas.writes import Absent, Key, Set, Write

STEP_PREFIX = "step#"


def step_key(task_id: str, name: str) -> Key:
    """Return the primary key of a step's record, which lies beside its task's."""
    return Key(pk=f"task#{task_id}", sk=f"{STEP_PREFIX}{name}")


def record_step(
    lease: Lease, name: str, outcome: Payload, *, position: int, alone: bool, ttl_s: int
) -> tuple[Write, Write]:
    """Record a step's outcome: one transaction of a check of the fence and the new item.

    The check is on another item than the write, so one conditional write cannot do it: a worker
    whose lease was taken over between a read of the task and the write of the step would leave
    its outcome beside the heir's. `position` and `alone` tell a replay what ran before it.
    """
    fence = held(lease)
    made = Write(
        key=step_key(lease.task_id, name),
        when=(Absent(),),
        changes=(
            *payload_of("outcome", outcome),
            Set("position", position),
            Set("alone", alone),
            Set("ttl", ttl_s),
        ),
    )
    return fence, made
