"""Operations of a parked task: its code does not fit its journal, and it waits for code that does.

It uses up no attempt, holds no worker and no message, and stands among its agent's parked tasks in
the status index. Only a person ends it.
"""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.history import AttemptOutcome
from sqswarm.schemas.lifecycle import Phase
from sqswarm.schemas.protocol.run import (
    AWAKE,
    PARKED,
    WORKING,
    Lease,
    end_attempt,
    enter_lost,
    fenced_write,
    set_due,
    set_listed_under,
    unlisted,
)
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Change, Eq, Key, Le, Remove, Set, Write


def park(
    lease: Lease, *, why: str, message: str, now_ms: int, ended_ms: int, due_at_ms: int
) -> Write:
    """Set the task of an attempt aside, with the attempt it cost; `why` is park.py's text.

    Compared is the attempt too, so that a repeat whose first answer was lost takes nothing off
    again. The first attempt of a task that has not waited stays counted: what it recorded is found
    by that.
    """
    record = lease.record
    waited = record is not None and (record.waits is not None or record.undo is not None)
    write = fenced_write(
        lease,
        *_aside(lease.key, why, message, now_ms=now_ms, due_at_ms=due_at_ms),
        Set("attempt", max(0 if waited else 1, lease.attempt - 1)),
        *end_attempt(lease, AttemptOutcome.PARKED, ended_ms=ended_ms),
    )
    return replace(write, when=(*write.when, *AWAKE, Eq("attempt", lease.attempt)))


def park_unheld(record: TaskRecord, *, why: str, message: str, now_ms: int) -> Write:
    """Set a task aside, as it was read, that nobody holds and whose agent is gone."""
    return Write(
        key=record.key,
        when=(
            WORKING,
            Eq("v", record.v),
            *AWAKE,
            Le("lease_until", now_ms),
            Eq("lease_until", record.lease_until_ms),
        ),
        changes=(
            *_aside(record.key, why, message, now_ms=now_ms, due_at_ms=None),
            *enter_lost(record, now_ms=now_ms),
            Remove("began"),
        ),
    )


def resume(record: TaskRecord, *, v: str, now_ms: int, due_at_ms: int) -> Write:
    """Let a parked task go on: another run, the attempts it had, and a fresh version."""
    return Write(
        key=record.key,
        when=(WORKING, Eq("v", record.v), Eq("phase", Phase.PARKED.value)),
        changes=(
            Set("phase", Phase.RUN.value),
            Set("v", v),
            Set("publishes", 0),
            Set("updated", now_ms),
            Set("resumed", now_ms),
            Remove("status_message"),
            *unlisted(),
            *set_due(record.task_id, due_at_ms),
        ),
    )


def _aside(
    key: Key, why: str, message: str, *, now_ms: int, due_at_ms: int | None
) -> tuple[Change, ...]:
    _, _, task_id = key.pk.split("#")
    return (
        Set("phase", Phase.PARKED.value),
        Set("lease_until", 0),
        Set("parked", why),
        Set("status_message", message),
        Set("updated", now_ms),
        Remove("code"),  # whatever is deployed next may have it: its own version does not fit it
        *set_due(task_id, due_at_ms),
        *set_listed_under(key, PARKED, now_ms),
    )
