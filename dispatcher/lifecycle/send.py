"""Send: a value into a task, which receives the values of a topic in the order they came in.

It is an answer that nobody has asked for yet, maybe: recorded as one, and what resumes the task.
"""

from __future__ import annotations

from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import (
    VALUE_KEY,
    check_form,
    check_value,
    record_answers,
)
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas.errors import (
    IdempotencyConflict,
    InvalidArguments,
    PayloadTooLarge,
    TaskEnded,
)
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject, dumps, size_bytes
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.signal import SIGNALS_LIMIT_BYTES, free_key, is_signal, topic_fault, topic_of
from sqswarm.schemas.task import TaskRecord


async def send(
    connection: Connection,
    task_id: str,
    topic: str,
    value: Any,
    *,
    idempotency_key: str | None = None,
    agent: str | None = None,
) -> Status:
    """Send a value into a task under a topic; return the task's status after it.

    It is kept until the task receives it. Sent again with the same `idempotency_key`, it is in the
    task once. Raises TaskNotFound, TaskEnded, InvalidArguments for a value that cannot be recorded
    or is not what the task waits for, PayloadTooLarge where the task holds no more, and
    IdempotencyConflict where the key came with another value.
    """
    if fault := topic_fault(topic):
        message = f"a signal's topic {fault}"
        raise InvalidArguments(message, hint="A topic is a short name, as `ctx.receive` has it.")
    value = check_value("the signal", value)
    sent_as = idempotency_key or new_version(connection.runner.random_bits)
    while True:
        record = await find(connection, task_id, agent=agent)
        if record is None:
            raise not_found(connection, task_id)
        if (before := _sent(record, topic, sent_as)) is not None:
            if before[VALUE_KEY] != value:
                message = f"{sent_as!r} was sent to {topic!r} with another value"
                raise IdempotencyConflict(message, hint="Use a new idempotency_key for it.")
            return record.status
        if record.status.terminal:
            message = f"task {task_id} is {record.status.value}: it receives nothing any more"
            raise TaskEnded(message)
        signal = _signal(record, topic, value, sent_as)
        status = await record_answers(connection, record, signal, by=connection.principal)
        if status is not None:
            return status


def _sent(record: TaskRecord, topic: str, sent_as: str) -> JsonObject | None:
    """Return what was sent to a topic under an id before."""
    ours = (
        one
        for key, one in record.answers.items()
        if is_signal(key) and topic_of(key) == topic and one.get("id") == sent_as
    )
    return next(ours, None)


def _signal(record: TaskRecord, topic: str, value: Any, sent_as: str) -> JsonObject:
    """Return what the record keeps; raises InvalidArguments where the task waits for another."""
    key = free_key(record.answers, topic)
    kept = {VALUE_KEY: value, "id": sent_as}
    if key in record.receives:
        asked = record.receives[key]
        shaped = {VALUE_KEY: value} if asked.get("wrapped") else value
        hint = f"`sqswarm show {record.task_id}` names the topics it waits for."
        check_form(f"the signal to {topic!r}", asked, shaped, hint)
        kept["fits"] = True
    size = size_bytes(dumps({**record.answers, key: kept}))
    if size > SIGNALS_LIMIT_BYTES:
        message = f"task {record.task_id} would hold {size:,} bytes of signals and answers"
        raise PayloadTooLarge(
            message,
            hint=f"{SIGNALS_LIMIT_BYTES:,} are possible: send addresses, or start further tasks.",
        )
    return {key: kept}
