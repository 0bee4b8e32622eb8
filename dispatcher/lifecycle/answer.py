"""Answer: a person's answer to a task's question, checked against the question's schema.

What is sent into a task (send.py) is recorded, and resumes it, as an answer does.
"""

from __future__ import annotations

from typing import Any

from sqswarm.backends.redact import hide_all
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.jsonable import encoded
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.dispatcher.validate import schema_errors
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject, size_bytes
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied

ANSWER_LIMIT_BYTES = 32 * 1024
"""Answers stay in the record, which holds 400 KB in all."""

VALUE_KEY = "value"
"""A question for something that is not an object asks for an object with this one property."""

DECLINED_KEY = "declined"
"""Stands in a recorded answer instead of a value where the person declined to answer."""

DECLINED = object()
"""Given instead of a value by who declines to answer: the agent gets AskDeclined."""


async def answer(
    connection: Connection, task_id: str, key: str, value: Any, *, agent: str | None = None
) -> Status:
    """Answer the open question `key` of a task; return the task's status after it.

    When no question is open any more the task is resumed and published. An answer that comes
    late (answered before, timed out, cancelled, ended) is acknowledged and ignored. Raises
    TaskNotFound, and InvalidArguments where the value breaks the question's schema or the task
    asks nothing under that key.
    """
    while True:
        record = await find(connection, task_id, agent=agent)
        if record is None:
            raise not_found(connection, task_id)
        if record.status is not Status.INPUT_REQUIRED or key in record.answers:
            return record.status
        asked = record.asks.get(key)
        if asked is None:
            message = f"task {task_id} asks nothing called {key!r}"
            raise InvalidArguments(message, hint=f"Open are: {', '.join(record.asks)}.")
        answers = {key: {DECLINED_KEY: True}}
        if value is not DECLINED:
            answers = {key: {VALUE_KEY: check_answer(key, asked, value)}}
        status = await record_answers(connection, record, answers, by=connection.principal)
        if status is not None:
            return status


async def record_answers(
    connection: Connection, record: TaskRecord, answers: JsonObject, *, by: str | None = None
) -> Status | None:
    """Record answers to a task as it was read, and resume it where that was all it waited for.

    `by` is who gave them (None: nobody, their time was over). Returns None where the task has
    changed meanwhile: read it again.
    """
    now = connection.runner.now_ms()
    given: JsonObject = {"at": now} if by is None else {"at": now, "by": by}
    answers = {key: {**said, **given} for key, said in answers.items()}
    left = [asked for key, asked in record.awaited.items() if key not in answers]
    ends = [asked["timeoutAt"] for asked in left if "timeoutAt" in asked]
    if record.wait_limit_ms is not None:
        ends.append(record.wait_limit_ms)
    v = new_version(connection.runner.random_bits)
    outcome = await connection.store.write(
        protocol.answer(
            record,
            answers,
            v=v,
            now_ms=now,
            due_at_ms=now + DUE_GRACE_MS,
            due_still_ms=min(ends, default=None),
        )
    )
    if not isinstance(outcome, Applied) or outcome.item is None:
        return None
    after = TaskRecord.from_item(outcome.item)
    if after.v == v:
        await republish(connection, [after])
    return after.status


async def expire_waits(connection: Connection, record: TaskRecord) -> bool:
    """Answer what is waited for and whose time is over as its `on_timeout` says; whether any.

    With the task's own deadline the time of all of it is over.
    """
    now = connection.runner.now_ms()
    limit_ms = record.wait_limit_ms
    ends = limit_ms is not None and limit_ms <= now
    over = {
        key: {VALUE_KEY: asked["default"]} if "default" in asked else {"timedOut": True}
        for key, asked in record.awaited.items()
        if ends or asked.get("timeoutAt", now + 1) <= now
    }
    return bool(over) and await record_answers(connection, record, over) is not None


def check_answer(key: str, asked: JsonObject, value: Any) -> Any:
    """Return the plain value of a valid answer; raises InvalidArguments with the reason."""
    what = f"the answer to {key!r}"
    shaped = {VALUE_KEY: value} if asked.get("wrapped") and not _is_wrapped(value) else value
    shaped = check_value(what, shaped)
    return check_form(what, asked, shaped, "`sqswarm inbox --json` shows the schema it asks for.")


def check_value(what: str, value: Any) -> Any:
    """Return a value as it is recorded; raises InvalidArguments for what cannot be."""
    try:
        text, plain = encoded(value, place=what.split()[1])
    except (TypeError, ValueError) as error:
        message = f"{what} is not JSON: {error}"
        raise InvalidArguments(
            message, hint="Pass what JSON has, or a model, at most 64 levels deep."
        ) from error
    if size_bytes(text) > ANSWER_LIMIT_BYTES:
        message = f"{what} has {size_bytes(text):,} bytes"
        raise InvalidArguments(
            message, hint=f"{ANSWER_LIMIT_BYTES:,} are possible: pass an address instead."
        )
    return hide_all(plain)  # what is recorded is what the agent gets, so that must fit


def check_form(what: str, asked: JsonObject, shaped: Any, hint: str) -> Any:
    """Return a value that fits what is asked for; raises InvalidArguments with the reason."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(asked["schema"])
    if not validator.is_valid(shaped):
        message = f"{what} does not fit: {schema_errors(validator, shaped)}"
        raise InvalidArguments(message, hint=hint)
    return shaped[VALUE_KEY] if asked.get("wrapped") else shaped


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {VALUE_KEY}
