"""The API's operations: what each does, and what its route and the OpenAPI document know of it.

A task of another principal is like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from sqswarm.dispatcher.async_client import AsyncSwarm
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.follow import follow_task
from sqswarm.dispatcher.server.http import models
from sqswarm.dispatcher.server.limits import Account
from sqswarm.dispatcher.submit import Request
from sqswarm.dispatcher.view import TaskView, open_view
from sqswarm.schemas.errors import IdempotencyConflict, UsageError
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.lifecycle import Status

IDEMPOTENCY_KEY = "Idempotency-Key"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One validated request. `body` and `query` are of the models that the operation names."""

    swarm: AsyncSwarm
    connection: Connection
    account: Account
    request: HttpRequest
    body: Any = None
    query: Any = None

    @property
    def task_id(self) -> str:
        """Return the task that the path names."""
        return str(self.request.path_params["task_id"])


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. Its summary is the first line of what `act` says of itself."""

    method: str
    path: str
    act: Callable[[Call], Awaitable[Response]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    answer: type[BaseModel]
    refusals: tuple[int, ...] = ()
    takes_idempotency_key: bool = False


async def submit(call: Call) -> Response:
    """Submit one task.

    It is recorded before this answers, so that its Location leads somewhere at once.
    """
    new = _with_idempotency_key(call.request, call.body)
    request = Request(
        arguments=new.arguments,
        idempotency_key=new.idempotency_key,
        ordering_key=new.ordering_key,
        session_id=new.session_id,
        delay_s=new.delay,
        tags=new.tags,
        notify=new.notify,
        durable=True,
    )
    await call.account.make_room(call.connection, delay_s=new.delay)
    task = (await call.swarm.submit_many(new.agent, [request]))[0]
    call.account.add_tasks({task.id: task.agent}, delay_s=new.delay)
    view = await call.swarm.get(task.id)
    location = f"{call.request.scope.get('root_path', '')}/tasks/{task.id}"
    return json_response(view.to_json(), status=201, location=location)


async def get(call: Call) -> Response:
    """Look at one task, and wait a while for its end or for a question it asks."""
    view = await call.swarm.get(call.task_id)  # raises for what is no id, or another's
    if view.status is Status.WORKING and call.query.wait:
        record = await follow_task(
            call.connection,
            call.task_id,
            deadline_ms=call.connection.runner.now_ms() + round(1000 * call.query.wait),
            meanwhile=lambda _: call.request.is_disconnected(),
        )
        view = await open_view(call.connection, record)
    return _task_response(view)


async def list_tasks(call: Call) -> Response:
    """List the tasks that last began, ended, asked or were cancelled, page by page.

    A page reads a bounded amount: where much is filtered it may be short, or empty, and its cursor
    still go on.
    """
    wanted = call.query
    page = await call.swarm.list(
        status=wanted.status,
        agent=wanted.agent,
        since=wanted.since,
        until=wanted.until,
        error_type=wanted.error_type,
        where=wanted.where,
        limit=wanted.limit,
        cursor=wanted.cursor,
    )
    return json_response(page.to_json())


async def cancel(call: Call) -> Response:
    """Cancel a task and its children; one that has ended stays as it is."""
    # Looked at first: cancelling leaves a mark where a task may still come, and a caller could
    # tell by it which ids belong to others.
    await call.swarm.get(call.task_id)
    await call.swarm.cancel(call.task_id)
    return _task_response(await call.swarm.get(call.task_id))


async def answer(call: Call) -> Response:
    """Answer open questions of a task, one after the other; a late answer is ignored."""
    for key, value in call.body.root.items():
        await call.swarm.answer(call.task_id, key, value)
    return _task_response(await call.swarm.get(call.task_id))


async def send(call: Call) -> Response:
    """Send a value into a task, under a topic that its agent receives, now or later.

    Repeated with the same idempotency key, it arrives once.
    """
    await call.swarm.send(
        call.task_id, call.body.topic, call.body.value, idempotency_key=call.body.idempotency_key
    )
    return _task_response(await call.swarm.get(call.task_id))


async def publish(call: Call) -> Response:
    """Publish an event: one task of each subscribed agent.

    Those of durable agents are recorded at once, the others when a worker takes them.
    """
    topic = str(call.request.path_params["topic"])
    await call.account.make_room(call.connection)
    tasks = await call.swarm.publish(topic, call.body.root, type=call.query.type)
    call.account.add_tasks({task.id: task.agent for task in tasks})
    started = [{"taskId": task.id, "agent": task.agent} for task in tasks]
    return json_response({"tasks": started}, status=202)


async def agents(call: Call) -> Response:
    """List the deployed agents."""
    listed = [
        {
            **entry.tool(),
            "durability": entry.durability.value,
            "ordered": entry.ordered,
            "topics": [{"topic": s.topic, "types": list(s.types)} for s in entry.subscriptions],
        }
        for entry in call.swarm.agents()
    ]
    return json_response({"agents": listed})


def _task_response(view: TaskView) -> Response:
    return json_response(view.to_json())


def json_response(body: JsonObject, *, status: int = 200, location: str | None = None) -> Response:
    """Return a JSON answer, which no cache may keep: it is one principal's."""
    headers = {"Cache-Control": "no-store", **({"Location": location} if location else {})}
    return Response(dumps(body), status_code=status, media_type="application/json", headers=headers)


def _with_idempotency_key(request: HttpRequest, task: models.NewTask) -> models.NewTask:
    """Return the task with the key of the header; raises IdempotencyConflict where there are two.

    The header's value may stand in quotes, as the standard-to-be writes it
    (draft-ietf-httpapi-idempotency-key-header).
    """
    headers = request.headers.getlist(IDEMPOTENCY_KEY)
    if not headers:
        return task
    key = headers[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(headers) > 1 or task.idempotency_key not in {None, key}:
        message = "the request has two different idempotency keys"
        raise IdempotencyConflict(
            message, hint=f"Use {IDEMPOTENCY_KEY} or idempotency_key, not both."
        )
    try:
        return models.NewTask.model_validate({**task.model_dump(), "idempotency_key": key})
    except ValidationError as error:
        message = f"{IDEMPOTENCY_KEY} has 1 to 255 characters"
        raise UsageError(message, hint="A UUID does it.") from error


OPERATIONS = (
    Operation(
        method="POST",
        path="/tasks",
        act=submit,
        body=models.NewTask,
        status=201,
        answer=models.Task,
        refusals=(404, 409, 413, 415, 422),
        takes_idempotency_key=True,
    ),
    Operation(
        method="GET",
        path="/tasks",
        act=list_tasks,
        query=models.Listing,
        answer=models.Tasks,
        refusals=(404, 422),
    ),
    Operation(
        method="GET",
        path="/tasks/{task_id}",
        act=get,
        query=models.OneTask,
        answer=models.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/cancel",
        act=cancel,
        answer=models.Task,
        refusals=(404,),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/answers",
        act=answer,
        body=models.Answers,
        answer=models.Task,
        refusals=(404, 413, 415, 422),
    ),
    Operation(
        method="POST",
        path="/tasks/{task_id}/signals",
        act=send,
        body=models.Signal,
        answer=models.Task,
        refusals=(404, 409, 413, 415, 422),
    ),
    Operation(
        method="POST",
        path="/events/{topic}",
        act=publish,
        body=models.Event,
        query=models.Publishing,
        status=202,
        answer=models.Published,
        refusals=(404, 413, 415, 422),
    ),
    Operation(method="GET", path="/agents", act=agents, answer=models.Agents),
)
