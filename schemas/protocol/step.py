"""The operation of a step: its outcome, recorded once under the task's fence."""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.journal import COPIED, Place
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol.run import Lease, fenced_write, set_payload
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Absent, Item, Key, Set, Write

STEP_PREFIX = "step#"
PATCH_PREFIX = "step.patch#"
"""Behind the steps in their order: whoever reads them finds patches too, and shows none."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """When a step ran (Unix milliseconds)."""

    began_ms: int
    ended_ms: int


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What a step cost: a turn of a model."""

    micro_usd: int
    tokens: int


def step_key(task: Key, name: str) -> Key:
    """Return the primary key of a step's record, which lies beside its task's."""
    return Key(pk=task.pk, sk=f"{STEP_PREFIX}{name}")


def record_step(
    lease: Lease,
    name: str,
    outcome: Payload,
    *,
    at: Place,
    ttl_s: int,
    ran: Ran | None = None,
    kind: str | None = None,
    paid: Paid | None = None,
) -> tuple[Write, Write]:
    """Record a step's outcome: one transaction of a check of the fence and the new item.

    The check is on another item than the write, so one conditional write cannot do it: a worker
    whose lease was taken over between a read of the task and the write of the step would leave
    its outcome beside the heir's. `at` tells a replay what ran before it. `kind` is what the step
    is, where it is no plain one, and `paid` what it cost.
    """
    kept = set_payload("outcome", outcome)
    if kind is not None:
        kept = (*kept, Set("kind", kind))
    if paid is not None:
        kept = (*kept, Set("micro_usd", paid.micro_usd), Set("tokens", paid.tokens))
    made = _create_step(lease, name, kept, at=at, ttl_s=ttl_s, ran=ran)
    return fenced_write(lease), made


def record_failure(
    lease: Lease, name: str, error: JsonObject, *, at: Place, ttl_s: int, ran: Ran | None = None
) -> Write:
    """Record that a step failed and the agent went on: for a transaction with what came next.

    Not before: a failure that ends the attempt is tried again by the next one.
    """
    return _create_step(lease, name, (Set("error", dumps(error)),), at=at, ttl_s=ttl_s, ran=ran)


def record_patch(lease: Lease, name: str, *, ttl_s: int) -> Write:
    """Record that the task goes by a patch's new branch: for a transaction with what comes next."""
    key = Key(pk=lease.key.pk, sk=f"{PATCH_PREFIX}{name}")
    return Write(key=key, when=(Absent(),), changes=(Set("ttl", ttl_s),))


def copy_step(item: Item, task: Key, *, outcome_ref: str | None, ttl_s: int) -> Write:
    """Make a step, or a patch, of another task one of the task under `task`, once.

    `outcome_ref` is where its large outcome was copied to. To undo it stays that task's.
    """
    left = {"pk", "sk", "undo", "undo_began", "undone"}
    kept = {name: value for name, value in item.items() if name not in left}
    kept |= {"ttl": ttl_s, COPIED: True}
    if outcome_ref is not None:
        kept["outcome_ref"] = outcome_ref
    return Write(
        key=Key(pk=task.pk, sk=item["sk"]),
        when=(Absent(),),
        changes=tuple(Set(name, value) for name, value in kept.items()),
    )


def fence(lease: Lease, *, undoable: int | None = None) -> Write:
    """Check that the task is still ours, within a transaction; `undoable` counts its undos then."""
    return fenced_write(lease, *(() if undoable is None else (Set("undoable", undoable),)))


def with_undo(step: Write, number: int) -> Write:
    """Return the record of a step that has an undo: the task's undo of that number, from 1."""
    return replace(step, changes=(*step.changes, Set("undo", number)))


def _create_step(
    lease: Lease, name: str, kept: tuple[Set, ...], *, at: Place, ttl_s: int, ran: Ran | None
) -> Write:
    times = () if ran is None else (Set("began", ran.began_ms), Set("ended", ran.ended_ms))
    return Write(
        key=step_key(lease.key, name),
        when=(Absent(),),
        changes=(
            *kept,
            Set("position", at.position),
            Set("alone", at.alone),
            Set("ttl", ttl_s),
            *times,
        ),
    )
