"""The HTTP API: tasks and events for whoever speaks plain JSON. See docs/http.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sqswarm.dispatcher.server.http import actions, requests, responses
from sqswarm.dispatcher.server.http.openapi import document
from sqswarm.dispatcher.server.http.operation import Call, Operation, Stage, answered
from sqswarm.dispatcher.server.http.parse import (
    InvalidRequest,
    WrongMediaType,
    read_json,
    read_query,
)
from sqswarm.dispatcher.server.identity import identity_of
from sqswarm.dispatcher.server.problem import problem, problem_of, reason_of
from sqswarm.schemas.errors import SwarmError

__all__ = ["OPERATIONS", "Stage", "routes"]

Endpoint = Callable[[Request], Awaitable[Response]]

OPERATIONS = (
    Operation(
        method="POST",
        path="/tasks",
        act=actions.submit,
        body=requests.NewTask,
        status=201,
        answer=responses.Task,
        refusals=(404, 409, 413, 415, 422),
        takes_idempotency_key=True,
    ),
    Operation(
        method="GET",
        path="/tasks",
        act=actions.listing,
        query=requests.Listing,
        answer=responses.Tasks,
    ),
    Operation(
        method="GET",
        path="/tasks/{task_id}",
        act=actions.get,
        query=requests.OneTask,
        answer=responses.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/cancel",
        act=actions.cancel,
        answer=responses.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/answers",
        act=actions.answer,
        body=requests.Answers,
        answer=responses.Task,
        refusals=(404, 413, 415, 422),
    ),
    Operation(
        method="POST",
        path="/events/{topic}",
        act=actions.publish,
        body=requests.Event,
        query=requests.Publishing,
        status=202,
        answer=responses.Published,
        refusals=(404, 413, 415, 422),
    ),
    Operation(method="GET", path="/agents", act=actions.agents, answer=responses.Agents),
)


def routes(stage: Stage) -> list[Route]:
    """Return the routes of the API and of its OpenAPI document."""

    async def openapi(request: Request) -> Response:
        return answered(document(OPERATIONS, stage.swarm(identity_of(request)).agents()))

    by_path: dict[str, dict[str, Endpoint]] = {"/openapi.json": {"GET": openapi}}
    for operation in OPERATIONS:
        methods = by_path.setdefault(operation.path, {})
        methods[operation.method] = _endpoint(stage, operation)
    return [Route(path, _Methods(found)) for path, found in by_path.items()]


def _endpoint(stage: Stage, operation: Operation) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            query = read_query(request, operation.query)
            body = await read_json(request, operation.body) if operation.body else None
            swarm = stage.swarm(identity_of(request))
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
