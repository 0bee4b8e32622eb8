"""Completion: what an ended task still owes other tasks. All of it may be repeated without harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.children import (
    child_message,
    count_in_parent,
    key_of_child,
    read_plan,
)
from sqswarm.dispatcher.lifecycle.notify import (
    notice_of,
    notify,
    owes_until_ms,
    told_again_ms,
    told_of,
)
from sqswarm.dispatcher.lifecycle.publish_result import ResultEvent, publish_results
from sqswarm.dispatcher.lifecycle.undo import (
    begin_undo_cancelled,
    is_undone_first,
    publish_undo,
)
from sqswarm.dispatcher.middleware import tell_ended
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import created_ms
from sqswarm.schemas.journal import PlannedChild, parent_of
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.notice import Notice
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied, Key, Write

_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Completion:
    """An ended task, whose child it is, and what it publishes.

    `due` where it stands in the sweep index till then.
    """

    key: Key
    status: Status
    parent: str | None
    parent_agent: str | None
    due: bool
    record: TaskRecord | None = None
    notice: Notice | None = None
    event: ResultEvent | None = None

    @classmethod
    def of(cls, record: TaskRecord, *, publishes: str | None = None) -> Completion:
        """Return what a recorded task that has ended owes; `publishes` is its agent's topic.

        Where somebody could not be told of it, that is all: the rest was done before.
        """
        all_but_told = record.untold > 0
        return cls(
            key=record.key,
            status=record.status,
            parent=None if all_but_told else record.parent,
            parent_agent=record.parent_agent,
            due=record.due_at_ms is not None,
            record=record,
            notice=notice_of(record),
            event=None if all_but_told else ResultEvent.of(record, publishes),
        )

    @property
    def leaves_children(self) -> TaskRecord | None:
        """Return the record where this is a cancelled task whose children are to be cancelled.

        One that could not be undone after it was cancelled has failed.
        """
        record = self.record
        if record is None or record.phase is not Phase.WAITING:
            return None
        return record if self.status is Status.CANCELLED or record.undo is not None else None


async def apply_completions(
    connection: Connection, completions: Sequence[Completion]
) -> dict[str, Exception]:
    """Count ended tasks in their parents and resume these; cancel a cancelled one's children.

    The results of agents that publish are published.

    Clears due last, so that whatever fails before is done again by housekeeping. A worker cancels
    no children, whose records are other agents': due stays, for the canceller and housekeeping.
    So it does where somebody could not be told of an end: returns why, by the tasks' ids.
    """
    orphaning = {one.key: record for one in completions if (record := one.leaves_children)}
    if not connection.worker:
        for record in orphaning.values():
            await cancel_children(connection, record)
    numbers: dict[Key, list[int]] = {}
    for completion in completions:
        if completion.parent is not None and completion.parent_agent is not None:
            parent_id, number = parent_of(completion.parent)
            numbers.setdefault(task_key(completion.parent_agent, parent_id), []).append(number)
    events = [one.event for one in completions if one.event is not None]
    await connection.runner.gather(
        [
            *(count_in_parent(connection, *counted) for counted in numbers.items()),
            *([publish_results(connection, events)] if events else ()),
        ]
    )
    return await _close(
        connection,
        {
            completion.key: completion
            for completion in completions
            if completion.due and not (connection.worker and completion.key in orphaning)
        },
    )


async def _close(connection: Connection, owing: Mapping[Key, Completion]) -> dict[str, Exception]:
    """Tell of ended tasks and take them out of the sweep index, but for whom that fails."""
    untold = await notify(connection, [one.notice for one in owing.values() if one.notice])
    now_ms = connection.runner.now_ms()
    writes: list[Write] = []
    for key, one in owing.items():
        again_ms = None
        if one.notice is not None and one.notice.task_id in untold:
            again_ms = told_again_ms(one.notice, now_ms=now_ms)
        if again_ms is None:
            writes.append(protocol.clear_due(key, one.status))
        else:
            tries = 1 + (one.record.untold if one.record is not None else 0)
            writes.append(protocol.owe_notice(key, one.status, due_at_ms=again_ms, tries=tries))
    await connection.store.write_many(writes)
    return untold


async def cancel_children(connection: Connection, parent: TaskRecord) -> None:
    """Cancel the children of a cancelled parent, and theirs; one never created gets a tombstone.

    Nothing is counted in the parent: it has ended.
    """
    plan = await read_plan(connection, parent)
    left = {
        key_of_child(parent, child): (number, child)
        for number, child in plan.items()
        if number in parent.pending
    }
    for _ in range(_ROUNDS):
        if not left:
            return
        items = await connection.store.read_many(list(left))
        writes: dict[Key, Write] = {}
        records: dict[Key, TaskRecord] = {}
        for key, (number, child) in list(left.items()):
            item = items.get(key)
            if item is None:
                records[key] = _tombstone(connection, parent, number, child)
                writes[key] = protocol.cancel_unrecorded(records[key])
                continue
            record = TaskRecord.from_item(item)
            being_undone = record.undo is not None and record.parked_now is None
            if record.status.terminal or being_undone:
                del left[key]
                continue
            records[key] = record
            owes = record.phase is Phase.WAITING or bool(record.pending)
            owes = owes or bool(told_of(connection, record.agent, record.notify))
            writes[key] = cancel_write(connection, record, owes=owes)
        outcomes = await connection.store.write_many(list(writes.values()))
        done = [k for k, o in zip(writes, outcomes, strict=True) if isinstance(o, Applied)]
        undone: list[tuple[TaskRecord, Write]] = []
        for key in done:
            del left[key]
            ended = records[key]
            if is_undone_first(ended):
                undone.append((ended, writes[key]))
            else:
                await tell_ended(ended, Status.CANCELLED, now_ms=connection.runner.now_ms())
        await publish_undo(connection, undone)
        await _complete_cancelled(connection, [records[key] for key in done])
    if left:
        message = f"{len(left)} children of {parent.task_id} keep changing; housekeeping goes on"
        raise RuntimeError(message)


async def _complete_cancelled(connection: Connection, cancelled: Sequence[TaskRecord]) -> None:
    """Do what cancelled children owe, as they were read before; nothing counts in their parent."""
    waiting = [record for record in cancelled if record.phase is Phase.WAITING]
    for record in waiting:
        await cancel_children(connection, record)
    now_ms = connection.runner.now_ms()
    owing = {
        record.key: Completion.of(replace(record, status=Status.CANCELLED, updated_ms=now_ms))
        for record in cancelled
        if not is_undone_first(record)
        and (record.phase is Phase.WAITING or told_of(connection, record.agent, record.notify))
    }
    if owing:
        await _close(connection, owing)


def cancel_write(connection: Connection, record: TaskRecord, *, owes: bool) -> Write:
    """Return the write that cancels a task as it was read, or undoes it first."""
    if is_undone_first(record):
        return begin_undo_cancelled(connection, record)
    now = connection.runner.now_ms()
    return protocol.cancel(
        record,
        now_ms=now,
        expires_s=connection.expires_s(),
        owes_until_ms=now + DUE_GRACE_MS if owes else None,
    )


def _tombstone(
    connection: Connection, parent: TaskRecord, number: int, child: PlannedChild
) -> TaskRecord:
    message = child_message(connection, parent, number, child)
    made = TaskRecord.from_message(
        message,
        status=Status.CANCELLED,
        depth=parent.depth + 1,
        now_ms=connection.runner.now_ms(),
        created_ms=created_ms(message.id),
        expires_s=connection.expires_s(),
    )
    return replace(made, due_at_ms=owes_until_ms(connection, made))
