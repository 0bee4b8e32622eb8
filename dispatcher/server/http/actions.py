"""What each operation does. A task of another principal is like one that does not exist."""

from __future__ import annotations

import asyncio
import time

from starlette.responses import Response

from sqswarm.dispatcher.server.http.operation import Call, answered
from sqswarm.dispatcher.server.http.parse import with_idempotency_key
from sqswarm.dispatcher.submit import Request
from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.lifecycle import Status

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


async def submit(call: Call) -> Response:
    """Submit one task.

    It is recorded before this answers, so that its Location leads somewhere at once.
    """
    asked = with_idempotency_key(call.request, call.body)
    request = Request(
        arguments=asked.arguments,
        idempotency_key=asked.idempotency_key,
        ordering_key=asked.ordering_key,
        session_id=asked.session_id,
        delay_s=asked.delay,
        durable=True,
    )
    task = (await call.swarm.submit_many(asked.agent, [request]))[0]
    view = await call.swarm.get(task.id)
    location = f"{call.request.scope.get('root_path', '')}/tasks/{task.id}"
    return answered(view.to_json(), status=201, location=location)


async def get(call: Call) -> Response:
    """Look at one task, and wait a while for its end or for a question it asks."""
    ends = time.monotonic() + call.query.wait
    pause_s = _FIRST_PAUSE_S
    while True:
        view = await call.swarm.get(call.task_id)
        left_s = ends - time.monotonic()
        if view.status is not Status.WORKING or left_s <= 0 or await call.request.is_disconnected():
            return _shown(view)
        await asyncio.sleep(min(pause_s, left_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


async def listing(call: Call) -> Response:
    """List the newest tasks. It reads the whole table: for people, not for programs in a loop."""
    wanted = call.query
    views = await call.swarm.list(status=wanted.status, agent=wanted.agent, limit=wanted.limit)
    return answered({"tasks": [view.to_json() for view in views]})


async def cancel(call: Call) -> Response:
    """Cancel a task and its children; one that has ended stays as it is."""
    # Looked at first: cancelling leaves a mark where a task may still come, and a caller could
    # tell by it which ids belong to others.
    await call.swarm.get(call.task_id)
    await call.swarm.cancel(call.task_id)
    return _shown(await call.swarm.get(call.task_id))


async def answer(call: Call) -> Response:
    """Answer open questions of a task, one after the other; a late answer is ignored."""
    for key, value in call.body.root.items():
        await call.swarm.answer(call.task_id, key, value)
    return _shown(await call.swarm.get(call.task_id))


async def publish(call: Call) -> Response:
    """Publish an event: one task of each subscribed agent.

    Those of durable agents are recorded at once, the others when a worker takes them.
    """
    topic = str(call.request.path_params["topic"])
    tasks = await call.swarm.publish(topic, call.body.root, type=call.query.type)
    started = [{"taskId": task.id, "agent": task.agent} for task in tasks]
    return answered({"tasks": started}, status=202)


async def agents(call: Call) -> Response:
    """List the deployed agents."""
    shown = [
        {
            **entry.tool(),
            "durability": entry.durability.value,
            "ordered": entry.ordered,
            "topics": [{"topic": s.topic, "types": list(s.types)} for s in entry.subscriptions],
        }
        for entry in call.swarm.agents()
    ]
    return answered({"agents": shown})


def _shown(view: TaskView) -> Response:
    return answered(view.to_json())
