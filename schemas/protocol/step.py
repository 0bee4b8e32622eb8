"""The operation of a step: its outcome, recorded once under the task's fence."""

from __future__ import annotations

from sqswarm.schemas.journal import Place
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol.run import Lease, fenced_write, set_payload
from sqswarm.schemas.writes import Absent, Key, Set, Write

STEP_PREFIX = "step#"


def step_key(task: Key, name: str) -> Key:
    """Return the primary key of a step's record, which lies beside its task's."""
    return Key(pk=task.pk, sk=f"{STEP_PREFIX}{name}")


def record_step(
    lease: Lease, name: str, outcome: Payload, *, at: Place, ttl_s: int
) -> tuple[Write, Write]:
    """Record a step's outcome: one transaction of a check of the fence and the new item.

    The check is on another item than the write, so one conditional write cannot do it: a worker
    whose lease was taken over between a read of the task and the write of the step would leave
    its outcome beside the heir's. `at` tells a replay what ran before it.
    """
    made = _create_step(lease, name, set_payload("outcome", outcome), at=at, ttl_s=ttl_s)
    return fenced_write(lease), made


def record_failure(lease: Lease, name: str, error: JsonObject, *, at: Place, ttl_s: int) -> Write:
    """Record that a step failed and the agent went on: for a transaction with what came next.

    Not before: a failure that ends the attempt is tried again by the next one.
    """
    return _create_step(lease, name, (Set("error", dumps(error)),), at=at, ttl_s=ttl_s)


def fence(lease: Lease) -> Write:
    """Check that the task is still ours, within a transaction."""
    return fenced_write(lease)


def _create_step(lease: Lease, name: str, kept: tuple[Set, ...], *, at: Place, ttl_s: int) -> Write:
    return Write(
        key=step_key(lease.key, name),
        when=(Absent(),),
        changes=(
            *kept,
            Set("position", at.position),
            Set("alone", at.alone),
            Set("ttl", ttl_s),
        ),
    )
