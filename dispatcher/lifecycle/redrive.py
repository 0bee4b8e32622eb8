"""Redrive: run an ended task again, as a new task with a fresh budget, linked both ways."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, replace

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.dead_letters import (
    HELD_LIMIT,
    DeadLetter,
    dead_letter_queue,
    receive_dead_letters,
)
from sqswarm.dispatcher.lifecycle.republish import outgoing, republish
from sqswarm.dispatcher.middleware import submitting
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import SwarmError, UsageError
from sqswarm.schemas.ids import created_ms, derive_task_id, new_version, within_task
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Refused

_AT_ONCE = 50


async def redrive(connection: Connection, task_id: str, *, agent: str | None = None) -> Submitted:
    """Run an ended task again; a repeat returns the same new task.

    Raises TaskNotFound, and UsageError for a task that has not ended or kept no arguments.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    if not record.status.terminal:
        message = f"task {task_id} is {record.status.value}: it is still on its way"
        raise UsageError(message, hint="Wait for it, or cancel it first.")
    if record.arguments is None:
        message = f"task {task_id} was cancelled before it left its arguments anywhere"
        raise UsageError(message, hint="Submit it anew.")
    connection.catalogue.agent(record.agent)
    async with submitting([_again(connection, record)]) as [again]:
        return await _redriven(connection, record, again)


async def _redriven(connection: Connection, record: TaskRecord, message: Message) -> Submitted:
    now = connection.runner.now_ms()
    made = TaskRecord.from_message(message, now_ms=now, due_at_ms=now + DUE_GRACE_MS)
    try:
        outgoing(made)  # nothing is recorded that cannot be published
    except ValueError as error:
        why = f"task {record.task_id} has arguments that cannot be sent: {error}"
        raise UsageError(why, hint="Submit it anew, within the limits.") from error
    outcome = await connection.store.write(protocol.create(made))
    if isinstance(outcome, Refused) and outcome.item is not None:
        made = TaskRecord.from_item(outcome.item)
    # Linked after it exists: a link never points at nothing, and a repeat finishes what is left.
    await connection.store.write(protocol.link_redriven(record, new_id=made.task_id))
    if made.status is Status.WORKING and made.phase is Phase.RUN and not made.attempt:
        await republish(connection, [made])
    return Submitted(task_id=made.task_id, agent=made.agent)


def _again(connection: Connection, old: TaskRecord) -> Message:
    return replace(
        old.to_message(),
        id=derive_task_id(old.task_id, "redrive", at_ms=created_ms(old.task_id)),
        v=new_version(connection.runner.random_bits),
        parent=None,
        parent_agent=None,
        deadline=None,
        traceparent=within_task(old.traceparent, old.task_id),
        redriven_from=old.task_id,
    )


@dataclass(frozen=True, kw_only=True)
class Redriven:
    """What became of one dead letter: the new task, or (`new` None) the message moved back.

    `error` says why it was left where it is.
    """

    letter: DeadLetter
    new: Submitted | None = None
    error: SwarmError | None = None


async def redrive_dead_letters(
    connection: Connection,
    agent: str,
    *,
    task_ids: Collection[str] | None = None,
    limit: int | None = None,
    rate_per_s: float | None = None,
) -> AsyncGenerator[Redriven]:
    """Redrive an agent's dead letters: those of `task_ids`, or all; `limit` and a rate at most.

    A dead letter whose task has ended becomes a new task; one that names no recorded task is moved
    back to the agent's queue as it is. A dead letter is deleted after its task is on its way.
    """
    queue = dead_letter_queue(connection, agent)
    done: set[str] = set()
    seen: set[str] = set()
    while limit is None or len(done) < limit:
        # Of a queue in which most are to stay, all have to be held to come by the others.
        async with receive_dead_letters(
            connection, agent, limit=HELD_LIMIT if task_ids else _AT_ONCE
        ) as letters:
            new = [letter for letter in letters if letter.delivery.message_id not in seen]
            if not new:
                return
            for letter in new:
                seen.add(letter.delivery.message_id)
                if task_ids is not None and letter.task_id not in task_ids:
                    continue
                if limit is not None and len(done) >= limit:
                    return
                redriven = await _redrive_letter(connection, letter)
                if redriven.error is None:
                    await connection.bus.delete(queue, [letter.delivery.receipt])
                    done.add(letter.task_id or letter.delivery.message_id)
                yield redriven
                if rate_per_s:
                    await connection.runner.sleep(1 / rate_per_s)


async def _redrive_letter(connection: Connection, letter: DeadLetter) -> Redriven:
    try:
        task_id, agent = letter.task_id, letter.agent
        if task_id is not None and await find(connection, task_id, agent=agent) is not None:
            return Redriven(letter=letter, new=await redrive(connection, task_id, agent=agent))
    except UsageError as error:
        return Redriven(letter=letter, error=error)
    entry = connection.catalogue.agent(letter.agent)
    given = letter.delivery.attributes
    message = Outgoing(
        id=letter.delivery.message_id,
        body=letter.delivery.body,
        principal=given.get("principal") or connection.principal,
        agent=letter.agent,
        group=letter.delivery.group if entry.ordered else None,
        dedup_suffix=f"-{connection.runner.now_ms()}",
    )
    await connection.bus.send(
        connection.names.queue(letter.agent, ordered=entry.ordered), [message]
    )
    return Redriven(letter=letter)
