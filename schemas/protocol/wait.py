"""Operations of a task that waits: for children, for people, for time; and what resumes it.

A resumed task is on a new run: a fresh version, and attempts and publishes counted from 0 again
(an attempt that suspended did its work; only attempts that came to nothing use up the budget).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sqswarm.schemas.history import AttemptOutcome
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.protocol.run import (
    AWAKE,
    WORKING,
    Lease,
    end_attempt,
    fenced_write,
    set_due,
    set_listed,
    unlisted,
)
from sqswarm.schemas.signal import is_signal
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import (
    Change,
    Condition,
    Drop,
    Eq,
    Has,
    Key,
    Missing,
    Remove,
    Set,
    Write,
)

_WAITING = Eq("phase", Phase.WAITING.value)


def plan(lease: Lease, *, waits: str, first: int, count: int, now_ms: int, due_at_ms: int) -> Write:
    """Wait for the children numbered from `first` on; they are created only after this.

    Numbers are never used twice in a task: a repeated count of an earlier wait's child must not
    be taken for one of a later wait.
    """
    return _change_awake(
        lease,
        Set("phase", Phase.WAITING.value),
        Set("pending", frozenset(range(first, first + count))),
        Set("planned", first + count),
        Set("waits", waits),
        Set("publishes", 0),
        *_suspend(lease, now_ms=now_ms, due_at_ms=due_at_ms),
    )


def sleep(lease: Lease, *, waits: str, wake_at_ms: int, now_ms: int, due_at_ms: int) -> Write:
    """Wait until `wake_at_ms`."""
    return _change_awake(
        lease,
        Set("phase", Phase.SLEEPING.value),
        Set("wake_at", wake_at_ms),
        Set("waits", waits),
        *_suspend(lease, now_ms=now_ms, due_at_ms=due_at_ms),
    )


def ask(
    lease: Lease,
    *,
    waits: str,
    asks: JsonObject,
    now_ms: int,
    due_at_ms: int | None,
    given: int | None = None,
) -> Write:
    """Wait for answers to `asks` of people, and for values that are sent; due at the first end.

    What is sent may come before it is waited for: `given` is how many answers the record had when
    it was found to lack these, or this is refused.
    """
    write = _change_awake(
        lease,
        Set("asks", dumps(asks)),
        Set("open", frozenset(range(len(asks)))),
        Set("waits", waits),
        *_suspend(lease, now_ms=now_ms, due_at_ms=due_at_ms),
        *_wait_for(lease.key, asks, now_ms=now_ms),
    )
    return write if given is None else replace(write, when=(*write.when, _has_given(given)))


def receive(lease: Lease, *, waits: str, given: int, v: str, now_ms: int, due_at_ms: int) -> Write:
    """Wait for what has been sent meanwhile: the run ends as by `ask`, and the task goes on."""
    changes = (
        Set("waits", waits),
        Set("phase", Phase.RUN.value),
        Set("publishes", 0),
        *_suspend(lease, now_ms=now_ms, due_at_ms=None),
        *_resume(lease.task_id, v=v, now_ms=now_ms, due_at_ms=due_at_ms),
    )
    write = _change_awake(lease, *{change.name: change for change in changes}.values())
    return replace(write, when=(*write.when, _has_given(given)))


def count(key: Key, numbers: Collection[int]) -> Write:
    """Take ended children out of what the parent under `key` waits for: a set, never a counter."""
    when: list[Condition] = [WORKING, _WAITING]
    when += [Has("pending", number) for number in numbers]
    return Write(
        key=key,
        when=tuple(when),
        changes=tuple(Drop("pending", number) for number in numbers),
    )


def fire(record: TaskRecord, *, v: str, now_ms: int, due_at_ms: int) -> Write:
    """Resume a parent whose children have all been counted: once, because the phase moves on.

    A child's worker does it, which may change no other attribute of its parent.
    """
    return Write(
        key=record.key,
        when=(WORKING, _WAITING, Missing("pending")),
        changes=(
            Set("phase", Phase.CHILDREN_DONE.value),
            *_resume(record.task_id, v=v, now_ms=now_ms, due_at_ms=due_at_ms),
        ),
    )


def wake(record: TaskRecord, *, v: str, now_ms: int, due_at_ms: int) -> Write:
    """Resume a task whose time has come."""
    return Write(
        key=record.key,
        when=(WORKING, Eq("v", record.v), Eq("phase", Phase.SLEEPING.value)),
        changes=(
            Set("phase", Phase.RUN.value),
            Remove("wake_at"),
            Set("publishes", 0),
            *_resume(record.task_id, v=v, now_ms=now_ms, due_at_ms=due_at_ms),
        ),
    )


def answer(
    record: TaskRecord,
    answers: JsonObject,
    *,
    v: str,
    now_ms: int,
    due_at_ms: int,
    due_still_ms: int | None,
) -> Write:
    """Record answers and signals by key; where that was all the task waited for, resume it.

    Compared are the number of answers and the set of what is open as read (and the version, where
    anything is): of two at the same time both count, one of them after reading again, and exactly
    one of them resumes. `due_at_ms` is for the resumed task, `due_still_ms` for one that goes on
    waiting.
    """
    awaited = record.awaited
    left = {key: asked for key, asked in awaited.items() if key not in answers}
    changes: list[Change] = [
        Set("answers", dumps({**record.answers, **answers})),
        Set("given", record.given + len(answers)),
    ]
    if left and left != awaited:
        numbers = frozenset(int(asked["number"]) for asked in left.values())
        changes += [Set("asks", dumps(left)), Set("open", numbers), Set("updated", now_ms)]
        if all(map(is_signal, left)):
            changes += _wait_for(record.key, left, now_ms=now_ms)
        changes += set_due(record.task_id, due_still_ms)
    elif awaited and not left:
        changes += [
            Set("status", Status.WORKING.value),
            Set("phase", Phase.RUN.value),
            Remove("asks"),
            Remove("open"),
            *unlisted(),
            Set("publishes", 0),
            *_resume(record.task_id, v=v, now_ms=now_ms, due_at_ms=due_at_ms),
        ]
    when: list[Condition] = [Eq("status", record.status.value), _has_given(record.given)]
    if awaited:
        when += [Eq("v", record.v), Eq("open", record.open_asks)]
    else:
        when.append(Missing("open"))
    return Write(key=record.key, when=tuple(when), changes=tuple(changes))


def _has_given(given: int) -> Condition:
    return Eq("given", given) if given else Missing("given")


def _wait_for(key: Key, awaited: JsonObject, *, now_ms: int) -> tuple[Change, ...]:
    """Say what a task is that waits for these: of people, or of programs alone."""
    if all(map(is_signal, awaited)):
        return (
            Set("status", Status.WORKING.value),
            Set("phase", Phase.RECEIVING.value),
            *unlisted(),
        )
    return (
        Set("status", Status.INPUT_REQUIRED.value),
        *set_listed(key, Status.INPUT_REQUIRED, now_ms),
    )


def _change_awake(lease: Lease, *changes: Change) -> Write:
    """Change a task of ours that does not wait yet: a plan that lands twice counts once."""
    write = fenced_write(lease, *changes)
    return replace(write, when=(*write.when, *AWAKE))


def _suspend(lease: Lease, *, now_ms: int, due_at_ms: int | None) -> tuple[Change, ...]:
    return (
        Set("lease_until", 0),
        Set("updated", now_ms),
        *set_due(lease.task_id, due_at_ms),
        *end_attempt(lease, AttemptOutcome.SUSPENDED, ended_ms=now_ms),
    )


def _resume(task_id: str, *, v: str, now_ms: int, due_at_ms: int) -> tuple[Change, ...]:
    return (
        Set("v", v),
        Set("lease_until", 0),
        Set("attempt", 0),
        Set("updated", now_ms),
        Set("resumed", now_ms),
        *set_due(task_id, due_at_ms),
    )
