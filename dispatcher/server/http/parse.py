"""Reading: a request's body, query and headers, held against the operation's models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from sqswarm.dispatcher.server.http.requests import NewTask
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import JsonObject, loads

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

IDEMPOTENCY_KEY = "Idempotency-Key"
_HINT = "GET /openapi.json says what is possible."
_SHOWN = 5


class WrongMediaType(UsageError):
    """The body is not declared to be JSON."""

    hint = "Send Content-Type: application/json."


class InvalidRequest(InvalidArguments):
    """The body does not fit. `errors` says where and how."""

    hint = _HINT

    def __init__(self, errors: list[ErrorDetails]) -> None:
        """Take the validator's verdict, without the values that it holds."""
        self.errors = [{"at": _place(error), "message": error["msg"]} for error in errors[:_SHOWN]]
        super().__init__(f"the body does not fit: {_told(self.errors)}")


async def read_json(request: Request, model: type[BaseModel]) -> BaseModel:
    """Return the body as `model`; raises WrongMediaType, UsageError (no JSON), InvalidRequest."""
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise WrongMediaType(f"the body is declared as {declared or 'nothing'!r}")
    try:
        value = loads(await request.body())
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON: {error}"
        raise UsageError(message, hint="Send one JSON object, in UTF-8.") from error
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(error.errors(include_url=False)) from error


def read_query(request: Request, model: type[BaseModel] | None) -> BaseModel | None:
    """Return the query as `model`; raises UsageError, also for a parameter that is not known."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in given or model is None:
            message = f"the parameter {name!r} is {'given twice' if model else 'not known here'}"
            raise UsageError(message, hint=_HINT)
        given[name] = value
    if model is None:
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        message = _told([{"at": _place(e), "message": e["msg"]} for e in errors])
        raise UsageError(f"the parameters do not fit: {message}", hint=_HINT) from error


def with_idempotency_key(request: Request, task: NewTask) -> NewTask:
    """Return the task with the key of the header; raises UsageError where there are two.

    The header's value may stand in quotes, as the standard-to-be writes it
    (draft-ietf-httpapi-idempotency-key-header).
    """
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    if not given:
        return task
    key = given[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or task.idempotency_key not in {None, key}:
        message = "the request has two different idempotency keys"
        raise UsageError(message, hint=f"Use {IDEMPOTENCY_KEY} or idempotency_key, not both.")
    try:
        return NewTask.model_validate({**task.model_dump(), "idempotency_key": key})
    except ValidationError as error:
        message = f"{IDEMPOTENCY_KEY} has 1 to 255 characters"
        raise UsageError(message, hint="A UUID does it.") from error


def _place(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def _told(errors: list[JsonObject]) -> str:
    return "; ".join(f"{e['at']}: {e['message']}" if e["at"] else e["message"] for e in errors)
