"""Questions: an agent asks people, suspends, and finds their answers when it is resumed."""

from __future__ import annotations

from typing import Any

from sqswarm.dispatcher.lifecycle.answer import DECLINED_KEY, VALUE_KEY
from sqswarm.schemas.errors import AskDeclined, AskTimedOut
from sqswarm.schemas.json import JsonObject, dumps, name_fault, size_bytes
from sqswarm.schemas.results import object_schema
from sqswarm.workers.durable.journal import Journal, taken_otherwise
from sqswarm.workers.durable.journal_entry import ask_name
from sqswarm.workers.runtime.outcome import AskWait, Fail

QUESTION_LIMIT_BYTES = 64 * 1024
"""Questions stay in the record, which holds 400 KB in all."""


class _Raise:
    def __repr__(self) -> str:
        return "RAISE"


RAISE = _Raise()
"""What `on_timeout` is where nobody's answer is made up: the question raises AskTimedOut."""


async def run_ask(
    journal: Journal,
    key: str,
    message: str,
    model: Any,
    *,
    timeout_s: float | None,
    on_timeout: Any,
) -> Any:
    """Return the answer to a question as a value of `model`, or suspend until there is one.

    Raises AskTimedOut where its time ends first and `on_timeout` gives no answer instead,
    AskDeclined where an MCP client's person declined to answer.
    """
    from pydantic import TypeAdapter

    if name_fault(key) or "#" in key:
        reason = f"a question's key is a short name without '#', not {key[:100]!r}"
        raise Fail(reason, type="InvalidAsk")
    uses = journal.number(ask_name(key))
    name = key if uses == 0 else f"{key}#{uses + 1}"
    adapter = TypeAdapter(model)
    record = journal.lease.record
    answers = record.answers if record else {}
    async with journal.operation([ask_name(name)]) as (operation, found):
        given = answers.get(name) if ask_name(name) in found else None
        if given is None:
            asked = _asked(message, adapter)
            if timeout_s is not None:
                asked["timeoutAt"] = journal.worker.now_ms() + round(1000 * timeout_s)
                if on_timeout is not RAISE:
                    asked["default"] = adapter.dump_python(
                        adapter.validate_python(on_timeout), mode="json"
                    )
            await journal.suspend(operation, [AskWait(name=name, asked=_storable(asked))])
        if given.get("timedOut"):
            raise AskTimedOut(name)
        if given.get(DECLINED_KEY):
            raise AskDeclined(name)
        try:
            return adapter.validate_python(given[VALUE_KEY])
        except ValueError as error:
            if _fits_form(adapter, given[VALUE_KEY]):
                raise  # the agent's own validators say more than its form: it may ask again
            position = found[ask_name(name)].position
            await journal.misfits(taken_otherwise(position, ask_name(name), error))


def _fits_form(adapter: Any, value: Any) -> bool:
    """Tell whether an answer fits the form that is asked today."""
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(adapter.json_schema()).is_valid(value))


async def run_form(journal: Journal, key: str, message: str, schema: JsonObject) -> Any:
    """Return the answer to a question whose form is somebody else's JSON schema, or suspend."""
    record = journal.lease.record
    answers = record.answers if record else {}
    async with journal.operation([ask_name(key)]) as (operation, found):
        given = answers.get(key) if ask_name(key) in found else None
        if given is None:
            asked = {"message": message, "schema": schema}
            await journal.suspend(operation, [AskWait(name=key, asked=_storable(asked))])
    return given[VALUE_KEY]


def _storable(asked: JsonObject) -> JsonObject:
    """Return a question that its record can keep; raises Fail for one that it cannot."""
    try:
        size = size_bytes(dumps(asked, place="question"))
    except ValueError as error:
        reason = f"the question is not JSON that can be kept: {error}"
        raise Fail(reason, type="InvalidAsk") from error
    if size > QUESTION_LIMIT_BYTES:
        reason = f"the question has {size:,} bytes; {QUESTION_LIMIT_BYTES:,} are possible"
        raise Fail(reason, type="InvalidAsk")
    return asked


def _asked(message: str, adapter: Any) -> JsonObject:
    schema, wrapped = object_schema(adapter.json_schema(), VALUE_KEY)
    asked = {"message": message, "schema": schema}
    return {**asked, "wrapped": True} if wrapped else asked
