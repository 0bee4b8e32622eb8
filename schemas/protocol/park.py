"""Operations of a parked task: its code does not fit its journal, and it waits for code that does.

Or somebody paused it, and it waits to be resumed.

It uses up no attempt, holds no worker and no message, and stands among its agent's parked tasks in
the status index. Only a person ends it.
"""

from __future__ import annotations

from dataclasses import replace

from sqswarm.schemas.history import AttemptOutcome
from sqswarm.schemas.lifecycle import TERMINAL, Phase
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.protocol.run import (
    AWAKE,
    NOT_PAUSED,
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
from sqswarm.schemas.writes import Change, Eq, Key, Le, Missing, Ne, Remove, Set, Write


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


def pause(record: TaskRecord, *, paused: str) -> Write:
    """Mark a task that has not ended, whoever holds it: no worker acquires it from now on.

    `paused` is JSON text: since when and by whom. One that is paused already stays so since then.
    """
    return Write(
        key=record.key,
        when=(
            Eq("created", record.created_ms),
            *(Ne("status", one.value) for one in sorted(TERMINAL)),
            NOT_PAUSED,
            Missing("undo"),
            Ne("unpaused", paused),  # a repeat that lands after the task was resumed pauses nothing
        ),
        changes=(Set("paused", paused),),
    )


def unpause(record: TaskRecord) -> Write:
    """Take the mark of a paused task away; one that is parked stays so until it is resumed."""
    return Write(
        key=record.key,
        when=(Eq("paused", record.paused or ""),),
        changes=(Remove("paused"), Set("unpaused", record.paused or "")),
    )


def park_unheld(record: TaskRecord, *, v: str, why: str, message: str, now_ms: int) -> Write:
    """Set a task aside, as it was read, that nobody holds: it is paused, or its agent is gone.

    A fresh version keeps away whoever held it once and has not noticed. A paused one keeps the
    version of the code that it began with.
    """
    paused = record.paused
    return Write(
        key=record.key,
        when=(
            WORKING,
            Eq("v", record.v),
            *AWAKE,
            Le("lease_until", now_ms),
            Eq("lease_until", record.lease_until_ms),
            *(() if paused is None else (Eq("paused", paused),)),
        ),
        changes=(
            *_aside(
                record.key,
                why,
                message,
                now_ms=now_ms,
                due_at_ms=None,
                keeps_code=paused is not None,
            ),
            *enter_lost(record, now_ms=now_ms),
            Remove("began"),
            Set("v", v),
        ),
    )


def park_paused(record: TaskRecord, *, v: str, now_ms: int) -> Write:
    """Set a paused task aside, as it was read, that nobody holds."""
    told = record.paused_now or {}
    misfit = Misfit(why=f"paused by {told.get('by')}")
    why, message = misfit.text(at_ms=now_ms), f"parked: {misfit.why}"
    return park_unheld(record, v=v, why=why, message=message, now_ms=now_ms)


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
    key: Key,
    why: str,
    message: str,
    *,
    now_ms: int,
    due_at_ms: int | None,
    keeps_code: bool = False,
) -> tuple[Change, ...]:
    _, _, task_id = key.pk.split("#")
    return (
        Set("phase", Phase.PARKED.value),
        Set("lease_until", 0),
        Set("parked", why),
        Set("status_message", message),
        Set("updated", now_ms),
        # Whatever is deployed next may have it: its own version does not fit it.
        *(() if keeps_code else (Remove("code"),)),
        *set_due(task_id, due_at_ms),
        *set_listed_under(key, PARKED, now_ms),
    )
