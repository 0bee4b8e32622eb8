"""Redrive: run an ended task again, as a new task with a fresh budget, linked both ways.

From its start, or from a step: then what it had recorded before is copied to the new task first
(copy_journal.py), so that nothing is paid or done twice. The new task and the link to it are made
in one transaction: a task is redriven once, whoever tries how often and however.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.copy_journal import JournalCopy, choose_copy, write_copy
from sqswarm.dispatcher.lifecycle.join import joined
from sqswarm.dispatcher.lifecycle.republish import outgoing, republish
from sqswarm.dispatcher.middleware import submitting
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.view import find, not_found, read_payload
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.ids import created_ms, derive_task_id, new_version, within_task
from sqswarm.schemas.json import JsonObject, canonical, loads, size_bytes
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import ARGUMENTS, INLINE_LIMIT_BYTES, Payload, payload_key
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied


async def redrive(
    connection: Connection,
    task_id: str,
    *,
    agent: str | None = None,
    from_step: str | None = None,
    arguments: JsonObject | None = None,
) -> Submitted:
    """Run an ended task again; a repeat returns the same new task. A parked one is cancelled first.

    `from_step` keeps what was recorded before that step, or (FROM_END) before the task's end;
    `arguments` replace those of the same names, for what runs from there on. Raises TaskNotFound,
    InvalidArguments, and UsageError for a task that is on its way, kept no arguments, has no such
    step, or was redriven otherwise before.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    if not record.status.terminal and (record.parked_now is None or record.undoable):
        message = f"task {task_id} is {record.status.value}: it is still on its way"
        hint = "Wait for it, or cancel it first."
        if record.undoable:
            hint = "Wait for it, or cancel it: what it did is undone first, and it ends after that."
        raise UsageError(message, hint=hint)
    if record.arguments is None:
        message = f"task {task_id} was cancelled before it left its arguments anywhere"
        raise UsageError(message, hint="Submit it anew.")
    connection.catalogue.agent(record.agent)
    if record.redriven_as is not None and not (from_step or arguments):
        return await _again(connection, record, how=None)
    copy = None if from_step is None else await choose_copy(connection, record, from_step)
    how = _identity(copy, arguments)
    if record.redriven_as is not None:
        return await _again(connection, record, how=how)
    again = await _message(connection, record, how, arguments)
    if record.parked_now is not None:
        await cancel(connection, task_id, agent=record.agent)
        record = await find(connection, task_id, agent=record.agent) or record
        if not record.status.terminal:  # it went on meanwhile, and did what is undone first
            message = f"task {task_id} is undone first"
            raise UsageError(message, hint="Redrive it once it has ended.")
    async with submitting([again]) as [sent]:
        return await _redriven(connection, record, sent, copy, how)


async def _redriven(
    connection: Connection,
    record: TaskRecord,
    message: Message,
    copy: JournalCopy | None,
    how: str | None,
) -> Submitted:
    now = connection.runner.now_ms()
    made = TaskRecord.from_message(message, now_ms=now, due_at_ms=now + DUE_GRACE_MS)
    made = replace(made, fingerprint=how)
    try:
        outgoing(made)  # nothing is recorded that cannot be published
    except ValueError as error:
        why = f"task {record.task_id} has arguments that cannot be sent: {error}"
        raise UsageError(why, hint="Submit it anew, within the limits.") from error
    if copy is not None:
        # Whole before there is a record: nobody can run the new task without its past.
        waits = await write_copy(connection, copy, made)
        shown = canonical(copy.shown)
        made = replace(made, waits=waits, answers=copy.answers, copied=shown)
    link = protocol.link_redriven(record, new_id=made.task_id)
    created, linked = await connection.store.transact([protocol.create(made), link])
    if isinstance(created, Applied) and isinstance(linked, Applied):
        await republish(connection, [made])
        return Submitted(task_id=made.task_id, agent=made.agent)
    if isinstance(linked, Applied):
        # Made by an earlier version, which linked it after that, and was broken off between.
        linked = await connection.store.write(link)
    if linked.item is None:
        raise not_found(connection, record.task_id)
    return await _again(connection, TaskRecord.from_item(linked.item), how=how)


async def _again(connection: Connection, old: TaskRecord, *, how: str | None) -> Submitted:
    """Return the task that one was redriven as before, published again while no worker had it.

    Raises UsageError where it was to be redriven otherwise than it was.
    """
    new_id = str(old.redriven_as)
    made = await find(connection, new_id, agent=old.agent)
    if made is None or (how is not None and made.fingerprint != how):
        begun = "from its start" if made is None or made.copied is None else _from(made)
        message = f"task {old.task_id} was redriven before, {begun}, as {new_id}"
        raise UsageError(message, hint=f"Redrive that one, once it has ended: {new_id}.")
    if made.status is Status.WORKING and made.phase is Phase.RUN and not made.attempt:
        await republish(connection, [made])
    return Submitted(task_id=made.task_id, agent=made.agent)


def _from(record: TaskRecord) -> str:
    step = loads(record.copied or "{}").get("fromStep")
    return f"from {step!r}"


def _identity(copy: JournalCopy | None, arguments: JsonObject | None) -> str | None:
    """Return what tells a redrive from others of its task; None for one from the start, as it was.

    Each has an id of its own, so that none ever finds another's half-made journal.
    """
    if copy is None and not arguments:
        return None
    said = {"from": None if copy is None else copy.from_step, "arguments": arguments or {}}
    return sha256(canonical(said).encode()).hexdigest()[:32]


async def _message(
    connection: Connection, old: TaskRecord, how: str | None, arguments: JsonObject | None
) -> Message:
    key = "redrive" if how is None else f"redrive {how}"
    message = replace(
        old.to_message(),
        id=derive_task_id(old.task_id, key, at_ms=created_ms(old.task_id)),
        v=new_version(connection.runner.random_bits),
        parent=None,
        parent_agent=None,
        deadline=None,
        traceparent=within_task(old.traceparent, old.task_id),
        redriven_from=old.task_id,
    )
    if old.joins is not None:
        arguments = {**await joined(connection, old), **(arguments or {})}
    if not arguments:
        return message
    entry = connection.catalogue.agent(old.agent)
    before = loads(await read_payload(connection, old.arguments or Payload(inline="{}")))
    text, merged = connection.validator(entry).encode({**before, **arguments}, what="arguments")
    if size_bytes(text) <= INLINE_LIMIT_BYTES:
        return replace(message, arguments=merged, payload_ref=None)
    place = payload_key(old.agent, message.id, ARGUMENTS)
    ref = await connection.blobs.put(place, text.encode())
    return replace(message, arguments=None, payload_ref=ref)
