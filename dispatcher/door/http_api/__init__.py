"""The HTTP API: tasks and events for whoever speaks plain JSON. See docs/http.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dispatcher.door.caller import caller_of
from dispatcher.door.http_api import act, answers, models
from dispatcher.door.http_api.openapi import document
from dispatcher.door.http_api.operation import Call, Door, Operation, answered
from dispatcher.door.http_api.read import (
    InvalidRequest,
    WrongMediaType,
    read_json,
    read_query,
)
from dispatcher.door.problem import problem, problem_of, reason_of
from schemas.errors import SwarmError

__all__ = ["OPERATIONS", "Door", "routes"]

# All of them: what a path does not know is refused as everything else is.
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Endpoint = Callable[[Request], Awaitable[Response]]

OPERATIONS = (
    Operation(
        method="POST",
        path="/tasks",
        act=act.submit,
        body=models.NewTask,
        status=201,
        answer=answers.Task,
        refusals=(404, 409, 413, 415, 422),
        takes_idempotency_key=True,
    ),
    Operation(
        method="GET", path="/tasks", act=act.listing, query=models.Listing, answer=answers.Tasks
    ),
    Operation(
        method="GET",
        path="/tasks/{task_id}",
        act=act.get,
        query=models.OneTask,
        answer=answers.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/cancel",
        act=act.cancel,
        answer=answers.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/answers",
        act=act.answer,
        body=models.Answers,
        answer=answers.Task,
        refusals=(404, 413, 415, 422),
    ),
    Operation(
        method="POST",
        path="/events/{topic}",
        act=act.publish,
        body=models.Event,
        query=models.Publishing,
        status=202,
        answer=answers.Published,
        refusals=(404, 413, 415, 422),
    ),
    Operation(method="GET", path="/agents", act=act.agents, answer=answers.Agents),
)


def routes(door: Door) -> list[Route]:
    """Return the routes of the API and of its OpenAPI document."""

    async def openapi(request: Request) -> Response:
        return answered(document(OPERATIONS, door.swarm(caller_of(request)).agents()))

    by_path: dict[str, dict[str, Endpoint]] = {"/openapi.json": {"GET": openapi}}
    for operation in OPERATIONS:
        methods = by_path.setdefault(operation.path, {})
        methods[operation.method] = _endpoint(door, operation)
    return [Route(path, _by_method(found), methods=_METHODS) for path, found in by_path.items()]


def _endpoint(door: Door, operation: Operation) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            query = read_query(request, operation.query)
            body = await read_json(request, operation.body) if operation.body else None
            swarm = door.swarm(caller_of(request))
            call = Call(swarm=swarm, request=request, body=body, query=query)
            return await operation.act(call)
        except SwarmError as error:
            return _refused(request, error)

    return endpoint


def _refused(request: Request, error: SwarmError) -> Response:
    request.state.refusal = reason_of(error)
    request.state.fault = str(error)
    if isinstance(error, WrongMediaType):
        return problem(415, reason_of(error), str(error), hint=error.hint)
    if isinstance(error, InvalidRequest):
        return problem_of(error, errors=error.errors)
    return problem_of(error)


def _by_method(endpoints: dict[str, Endpoint]) -> Endpoint:
    """Return the endpoint of a path, which sends each method where it belongs."""
    allowed = ", ".join(sorted({*endpoints, *(["HEAD"] if "GET" in endpoints else [])}))

    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = endpoints.get(method)
        if endpoint is None:
            request.state.refusal = "method-not-allowed"
            detail = f"{request.method} is not possible here"
            return problem(405, "method-not-allowed", detail, headers={"Allow": allowed})
        return await endpoint(request)

    return dispatch
