"""Middleware: what a project adds around submits, attempts, steps, turns, tools and batches.

Traces and metrics are made with it, and so is whatever a project reports elsewhere. A hook is a
plain method or a coroutine one, called in the context (PEP 567) of what it is about: what
`before_attempt` sets there, the agent, its steps and its threads find. Hooks that nobody has
written are not called, and where nothing is added, nothing is made for them.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqswarm.backends.log import Log
from sqswarm.backends.runner import is_straight
from sqswarm.schemas.baggage import baggage_entries, baggage_text, is_header
from sqswarm.schemas.ids import is_traceparent
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.task import TaskRecord

if TYPE_CHECKING:  # made only where somebody listens
    from sqswarm.schemas.heard import Attempt, Batch, Step, Submission, TaskEnd

_HOOK_S = 5.0
"""Longest time a hook is awaited: then the task goes on without it."""


class Middleware:
    """Subclass it, write the hooks you need, plain or `async`, and `add_middleware` an instance.

    A hook that raises, or takes longer than 5 s, is logged (`middleware.failed`) and harms nobody.
    Hooks named `before` are called in the order of adding, those named `after` in the other one.
    """

    def before_submit(self, submission: Submission) -> Any:
        """Before a task is recorded or published; children's go out with what their parent had."""

    def after_submit(self, submission: Submission) -> Any:
        """After it was published, or was not (`submission.error`)."""

    def before_attempt(self, attempt: Attempt) -> Any:
        """Before the agent is called, with the lease taken."""

    def after_attempt(self, attempt: Attempt) -> Any:
        """After what became of the attempt is recorded."""

    def before_step(self, step: Step) -> Any:
        """Before a step is run (`ctx.step`, a model's turn, a remote call)."""

    def after_step(self, step: Step) -> Any:
        """After a step was run and recorded, or raised."""

    def after_task(self, end: TaskEnd) -> Any:
        """After a task's one result is recorded, in the process that did it."""

    def after_batch(self, batch: Batch) -> Any:
        """After all that one call of a worker was given, its dispositions known."""


HOOKS = tuple(name for name in vars(Middleware) if name.startswith(("before_", "after_")))
"""The names of all hooks."""

_added: list[Middleware] = []
_heard: dict[str, list[Callable[[Any], Any]]] = {name: [] for name in HOOKS}


def add_middleware(middleware: Middleware) -> None:
    """Call `middleware`'s hooks from now on, in this process; adding it again changes nothing."""
    if not isinstance(middleware, Middleware):
        message = f"{middleware!r} is no Middleware: add an instance of a subclass"
        raise TypeError(message)
    if middleware not in _added:
        _added.append(middleware)
        _sort()


def added() -> tuple[Middleware, ...]:
    """Return the middlewares of this process, in the order of adding."""
    return tuple(_added)


def remove_middleware(middleware: Middleware) -> None:
    """Call its hooks no more; one that was never added is none the worse."""
    if middleware in _added:
        _added.remove(middleware)
        _sort()


def _sort() -> None:
    for name in HOOKS:
        written = [one for one in _added if getattr(type(one), name) is not vars(Middleware)[name]]
        ordered = written if name.startswith("before_") else reversed(written)
        _heard[name] = [getattr(one, name) for one in ordered]


def heard(*names: str) -> bool:
    """Tell whether anybody has written one of these hooks: else nothing need be made for them."""
    return any(_heard[name] for name in names)


async def tell_ended(record: TaskRecord, status: Status, *, now_ms: int, **more: Any) -> None:
    """Tell of an end that no attempt is: see TaskEnd.of_record."""
    if heard("after_task"):
        from sqswarm.schemas.heard import TaskEnd

        await tell("after_task", TaskEnd.of_record(record, status=status, now_ms=now_ms, **more))


@asynccontextmanager
async def submitting(messages: Sequence[Message]) -> AsyncIterator[Sequence[Message]]:
    """Let middleware hear of messages that are recorded and published within; give them as changed.

    What it wants to add and cannot travel is left out, and logged.
    """
    if not heard("before_submit", "after_submit"):
        yield messages
        return
    told = [_submission(message) for message in messages]
    for one in told:
        await tell("before_submit", one)
    try:
        yield [_changed(message, one) for message, one in zip(messages, told, strict=True)]
    except BaseException as error:
        for one in told:
            one.error = error
        raise
    finally:
        for one in reversed(told):
            await tell("after_submit", one)


def _submission(message: Message) -> Submission:
    from sqswarm.schemas.heard import Submission

    return Submission(
        task_id=message.id,
        agent=message.name,
        principal=message.principal,
        arguments=message.arguments or {},
        event=message.topic is not None,
        redriven_from=message.redriven_from,
        traceparent=message.traceparent,
        tracestate=message.tracestate,
        baggage=baggage_entries(message.baggage),
    )


def _changed(message: Message, told: Submission) -> Message:
    traceparent, tracestate = message.traceparent, message.tracestate
    if is_traceparent(told.traceparent):
        traceparent = told.traceparent
        tracestate = told.tracestate if is_header(told.tracestate) else None
    baggage = message.baggage
    try:
        baggage = baggage_text(told.baggage)
    except ValueError as error:
        Log().error("baggage.refused", task_id=told.task_id, error=str(error))
    return replace(message, traceparent=traceparent, tracestate=tracestate, baggage=baggage)


async def tell(name: str, event: Any) -> None:
    """Call a hook of all middlewares with what it is about; raises nothing."""
    for hook in _heard[name]:
        try:
            answer = hook(event)
            if not inspect.isawaitable(answer):
                continue
            if is_straight():
                _wait_aside(answer)
            else:
                await _awaited(answer)
        except Exception as error:
            Log().error(
                "middleware.failed",
                hook=f"{type(getattr(hook, '__self__', hook)).__name__}.{name}",
                error=repr(error),
            )


async def _awaited(answer: Awaitable[Any]) -> None:
    async with asyncio.timeout(_HOOK_S):
        await answer


def _wait_aside(answer: Awaitable[Any]) -> None:
    """Await a hook for a client that blocks: on a loop of its own, since this one's is none."""
    with ThreadPoolExecutor(1) as aside:
        context = contextvars.copy_context()
        aside.submit(context.run, lambda: asyncio.run(_awaited(answer))).result()
