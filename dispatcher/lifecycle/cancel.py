"""Cancel: end a task for good, whether a worker has seen it yet or not."""

from __future__ import annotations

from dataclasses import replace

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.completion import (
    Completion,
    apply_completions,
    cancel_children,
    cancel_write,
)
from sqswarm.dispatcher.lifecycle.notify import owes_until_ms, told_of
from sqswarm.dispatcher.lifecycle.undo import is_undone_first, publish_undo
from sqswarm.dispatcher.middleware import tell_ended
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.errors import TaskNotFound
from sqswarm.schemas.ids import created_ms, is_recorded_first, new_version
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied

MESSAGE_LIFE_S = 15 * 24 * 3600
"""Longest life of a message, and a day. Source: SQS, MessageRetentionPeriod is 14 days at most."""


async def cancel(connection: Connection, task_id: str, *, agent: str | None = None) -> Status:
    """Cancel a task and its children; return the status it ended with.

    Another end may have been faster. A task that has recorded steps with an undo is `working` until
    they are undone, then it is cancelled; where that is parked, another cancel ends it as it is.

    A task that no worker has acquired yet may have no record: where its agent is known, a
    tombstone is left, which its acquire will find. Raises TaskNotFound for another principal's
    task, and for an id that no message on its way can have.
    """
    while True:
        record = await find(connection, task_id, agent=agent)
        if record is None:
            tombstone = _tombstone(connection, task_id, agent)
            write = protocol.cancel_unrecorded(tombstone)
        elif record.status.terminal:
            return record.status
        elif record.undo is not None and record.parked_now is None:
            return Status.WORKING  # housekeeping sees to what its canceller may have left
        else:
            write = cancel_write(connection, record, owes=_owes(connection, record))
        outcome = await connection.store.write(write)
        if isinstance(outcome, Applied) and record is not None and is_undone_first(record):
            if record.phase is Phase.WAITING:
                await cancel_children(connection, record)
            await publish_undo(connection, [(record, write)])
            return Status.WORKING
        if isinstance(outcome, Applied):
            now_ms = connection.runner.now_ms()
            await tell_ended(record or tombstone, Status.CANCELLED, now_ms=now_ms)
            await apply_completions(
                connection, _owed(connection, record or tombstone, now_ms=now_ms)
            )
            return Status.CANCELLED
        if (
            record is None
            and await connection.store.read(write.key)
            and not await find(connection, task_id, agent=agent)
        ):
            raise not_found(connection, task_id)


def _owed(connection: Connection, record: TaskRecord, *, now_ms: int) -> list[Completion]:
    """Return what a task owes that was cancelled as it was read."""
    due_at_ms = 0 if _owes(connection, record) else None
    ended = replace(record, status=Status.CANCELLED, due_at_ms=due_at_ms, updated_ms=now_ms)
    if record.undo is not None and record.pending:
        ended = replace(ended, phase=Phase.WAITING)
    return [] if due_at_ms is None else [Completion.of(ended)]


def _owes(connection: Connection, record: TaskRecord) -> bool:
    others = record.parent is not None or record.phase is Phase.WAITING or bool(record.pending)
    return others or bool(told_of(connection, record.agent, record.notify))


def _tombstone(connection: Connection, task_id: str, agent: str | None) -> TaskRecord:
    """Return the tombstone of a task that may be on its way without a record.

    Raises TaskNotFound where there is no such task. One of a derived id, as an idempotency key
    has, is recorded before its message: nothing is left that a later submission with that key
    would find. No message lives longer than MESSAGE_LIFE_S, and the
    tombstone no longer than it may be needed.
    """
    now_ms = connection.runner.now_ms()
    agents = connection.agents_of(task_id, agent)
    over_ms = created_ms(task_id) + 1000 * MESSAGE_LIFE_S
    if is_recorded_first(task_id) or over_ms < now_ms:
        raise not_found(connection, task_id)
    if len(agents) != 1:
        raise TaskNotFound(
            f"no task {task_id} is recorded", hint="Name its agent: it may still be on its way."
        )
    entry = connection.catalogue.agent(agents[0])
    if entry.durability is Durability.DURABLE:
        raise not_found(connection, task_id)
    message = Message(id=task_id, name=entry.name, arguments=None, principal=connection.principal)
    made = TaskRecord.from_message(
        message,
        v=new_version(connection.runner.random_bits),
        durability=entry.durability,
        status=Status.CANCELLED,
        now_ms=now_ms,
        created_ms=created_ms(task_id),
        expires_s=(min(over_ms, now_ms + 1000 * MESSAGE_LIFE_S)) // 1000,
    )
    return replace(made, due_at_ms=owes_until_ms(connection, made))
