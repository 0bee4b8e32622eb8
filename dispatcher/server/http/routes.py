"""The HTTP API's routes: tasks and events for whoever speaks plain JSON. See docs/http.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, get_origin

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sqswarm.dispatcher.server.auth import Access
from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.http.openapi import document
from sqswarm.dispatcher.server.http.operations import OPERATIONS, Call, Operation, json_response
from sqswarm.dispatcher.server.limits import account_of
from sqswarm.dispatcher.server.problem import problem, problem_of, reason_of
from sqswarm.schemas.errors import InvalidArguments, SwarmError, UsageError
from sqswarm.schemas.json import JsonObject, loads

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Endpoint = Callable[[Request], Awaitable[Response]]

HINT = "GET /openapi.json says what is possible."
_LISTED = 5


class WrongMediaType(UsageError):
    """The body is not declared to be JSON."""

    hint = "Send Content-Type: application/json."


class InvalidRequest(InvalidArguments):
    """The body does not fit. `errors` says where and how."""

    hint = HINT

    def __init__(self, errors: list[ErrorDetails]) -> None:
        """Take the validator's errors, without the values that it holds."""
        self.errors = [{"at": _place(error), "message": error["msg"]} for error in errors[:_LISTED]]
        super().__init__(f"the body does not fit: {_sentence(self.errors)}")


def routes(context: ServerContext, access: Access) -> list[Route]:
    """Return the routes of the API and of its OpenAPI document, which tells of `access`."""

    async def openapi(request: Request) -> Response:
        agents = context.swarm(identity_of(request)).agents()
        return json_response(document(OPERATIONS, agents, access.authenticator.openapi))

    by_path: dict[str, dict[str, Endpoint]] = {"/openapi.json": {"GET": openapi}}
    for operation in OPERATIONS:
        methods = by_path.setdefault(operation.path, {})
        methods[operation.method] = _endpoint(context, operation)
    return [Route(path, _Methods(found)) for path, found in by_path.items()]


def _endpoint(context: ServerContext, operation: Operation) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            query = _read_query(request, operation.query)
            body = await _read_json(request, operation.body) if operation.body else None
            identity = identity_of(request)
            call = Call(
                swarm=context.swarm(identity),
                connection=context.connection(identity),
                account=account_of(request),
                request=request,
                body=body,
                query=query,
            )
            return await operation.act(call)
        except SwarmError as error:
            return _problem(request, error)

    return endpoint


def _problem(request: Request, error: SwarmError) -> Response:
    request.state.refusal = reason_of(error)
    request.state.fault = str(error)
    if isinstance(error, WrongMediaType):
        return problem(415, reason_of(error), str(error), hint=error.hint)
    if isinstance(error, InvalidRequest):
        return problem_of(error, errors=error.errors)
    return problem_of(error)


class _Methods:
    """One path as an ASGI application: a method it does not know is a problem like any other."""

    def __init__(self, endpoints: dict[str, Endpoint]) -> None:
        """Send each method to its endpoint; HEAD goes where GET goes."""
        self._endpoints = dict(endpoints)
        if "GET" in endpoints:
            self._endpoints["HEAD"] = endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive, send)
        endpoint = self._endpoints.get(request.method)
        if endpoint is None:
            request.state.refusal = "method-not-allowed"
            detail = f"{request.method} is not possible here"
            allowed = {"Allow": ", ".join(sorted(self._endpoints))}
            response = problem(405, "method-not-allowed", detail, headers=allowed)
        else:
            response = await endpoint(request)
        await response(scope, receive, send)


async def _read_json(request: Request, model: type[BaseModel]) -> BaseModel:
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


def _read_query(request: Request, model: type[BaseModel] | None) -> BaseModel | None:
    """Return the query as `model`; raises UsageError, also for a parameter that is not known."""
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        field = model.model_fields.get(name) if model else None
        if field is not None and get_origin(field.annotation) is list:
            given.setdefault(name, []).append(value)
            continue
        if name in given or model is None:
            message = f"the parameter {name!r} is {'given twice' if model else 'not known here'}"
            raise UsageError(message, hint=HINT)
        given[name] = value
    if model is None:
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        message = _sentence([{"at": _place(e), "message": e["msg"]} for e in errors])
        raise UsageError(f"the parameters do not fit: {message}", hint=HINT) from error


def _place(error: ErrorDetails) -> str:
    return ".".join(str(part) for part in error["loc"])


def _sentence(errors: list[JsonObject]) -> str:
    return "; ".join(f"{e['at']}: {e['message']}" if e["at"] else e["message"] for e in errors)
