"""Questions: an agent asks people, suspends, and finds their answers when it is resumed."""

from __future__ import annotations

from typing import Any

from sqswarm.dispatcher.lifecycle.answer import DECLINED_KEY, VALUE_KEY
from sqswarm.schemas.errors import AskDeclined, AskTimedOut
from sqswarm.schemas.json import JsonObject, dumps, name_fault, size_bytes
from sqswarm.schemas.results import object_schema
from sqswarm.schemas.signal import is_signal, numbered
from sqswarm.schemas.value import dataclass
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
    name = numbered(key, journal.number(ask_name(key)) + 1)
    adapter = TypeAdapter(model)
    asked = {"message": message, **form(journal, adapter, timeout_s, on_timeout)}
    answered = await wait_for(journal, name, ask_name(name), asked)
    if answered.given.get("timedOut"):
        raise AskTimedOut(name)
    if answered.given.get(DECLINED_KEY):
        raise AskDeclined(name)
    return await answered.value(journal, adapter)


async def run_form(journal: Journal, key: str, message: str, schema: JsonObject) -> Any:
    """Return the answer to a question whose form is somebody else's JSON schema, or suspend."""
    asked = {"message": message, "schema": schema}
    return (await wait_for(journal, key, ask_name(key), asked)).given[VALUE_KEY]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came: an answer, a value that was sent, or nothing in time.

    `fits` tells whether it fitted what was waited for when it came.
    """

    name: str
    position: int
    given: JsonObject
    fits: bool

    async def value(self, journal: Journal, adapter: Any) -> Any:
        """Return the value; a task whose recorded one does not fit the code of today is parked."""
        try:
            return adapter.validate_python(self.given[VALUE_KEY])
        except ValueError as error:
            if not self.fits or _fits_form(adapter, self.given[VALUE_KEY]):
                raise  # the agent's own validators say more than its form: it may ask again
            await journal.misfits(taken_otherwise(self.position, self.name, error))


async def wait_for(journal: Journal, key: str, name: str, asked: JsonObject) -> Answered:
    """Return what came under `key`, or suspend until something does, or its time is over.

    A question is answered where it is recorded that it was asked; a value may have been sent
    before.
    """
    record = journal.lease.record
    answers = record.answers if record else {}
    async with journal.operation([name]) as (operation, found):
        given = answers.get(key) if name in found or is_signal(key) else None
        if given is None:
            await journal.suspend(operation, [AskWait(name=key, asked=_storable(asked))])
        position = found[name].position if name in found else operation.position
        fits = not is_signal(key) or bool(given.get("fits"))
    return Answered(name=name, position=position, given=given, fits=fits)


def _fits_form(adapter: Any, value: Any) -> bool:
    """Tell whether an answer fits the form that is asked today."""
    from jsonschema import Draft202012Validator

    return bool(Draft202012Validator(adapter.json_schema()).is_valid(value))


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


def form(journal: Journal, adapter: Any, timeout_s: float | None, on_timeout: Any) -> JsonObject:
    """Return what is waited for: an object's JSON schema, when its time is over, and what then.

    `wrapped`: the value itself is no object.
    """
    schema, wrapped = object_schema(adapter.json_schema(), VALUE_KEY)
    asked: JsonObject = {"schema": schema, "wrapped": True} if wrapped else {"schema": schema}
    if timeout_s is not None:
        asked["timeoutAt"] = journal.worker.now_ms() + round(1000 * timeout_s)
        if on_timeout is not RAISE:
            default = adapter.validate_python(on_timeout)
            asked["default"] = adapter.dump_python(default, mode="json")
    return asked
