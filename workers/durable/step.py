"""Steps: named pieces of work whose outcomes are recorded once and replayed afterwards."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from sqswarm.backends.redact import HIDDEN, hide, hide_all
from sqswarm.dispatcher import middleware
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import LeaseLost, StepFailed
from sqswarm.schemas.json import NESTING_LIMIT, dumps, loads, name_fault, size_bytes
from sqswarm.schemas.payload import (
    GONE,
    RECORD_INLINE_LIMIT_BYTES,
    Payload,
    check_size,
    payload_key,
)
from sqswarm.schemas.protocol import Ran
from sqswarm.schemas.results import WRAPPED_KEY, error_object
from sqswarm.schemas.writes import Refused
from sqswarm.workers.durable.journal import Failure, Journal, Operation, taken_otherwise
from sqswarm.workers.durable.journal_entry import JournalEntry, step_name
from sqswarm.workers.durable.undo import StepUndo
from sqswarm.workers.runtime.decide import backoff_s
from sqswarm.workers.runtime.outcome import Fail, Retry
from sqswarm.workers.runtime.threads import on_thread

if TYPE_CHECKING:  # made only where somebody listens
    from sqswarm.schemas.heard import Step, ToolUse, Turn

STEP_NAME_LIMIT = 200
_THREADS = 64
"""Plain functions of steps at a time: on threads of their own, for AWS calls need theirs."""


async def run_step(
    journal: Journal,
    name: str,
    call: Callable[[], Any],
    *,
    returns: Any,
    retries: int,
    hidden: bool = True,
    about: Turn | ToolUse | None = None,
    undo: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the recorded outcome of a step, or run it, record it and return it.

    An outcome is what JSON makes of it (of `returns`' type where that is known), on the first
    run as on every replay: so it is without secrets, unless `hidden` is False because the caller
    has seen to that. A step that raises is tried again by the next attempt, unless the agent
    catches its StepFailed and goes on: then the failure is what is recorded. Middleware hears
    `about` what it is. `undo` takes its outcome, should the task not complete. Raises LeaseLost
    where another worker has the task by now.
    """
    if len(name) > STEP_NAME_LIMIT or (fault := name_fault(name)):
        if len(name) > STEP_NAME_LIMIT:
            fault = f"has {len(name):,} characters; {STEP_NAME_LIMIT} are possible"
        message = f"a step's name {fault}"
        raise Fail(message, type="InvalidStep")
    full = f"{name}#{journal.number(step_name(name))}"
    async with journal.operation([step_name(full)]) as (operation, found):
        with journal.busy():
            recorded = found.get(step_name(full))
            if recorded is not None:
                journal.worker.log.info("step.replayed", task_id=journal.lease.task_id, step=full)
                value = await _replayed(journal, name, full, recorded, returns)
                if journal.undo is not None and undo is not None:
                    undoing = partial(undo, value)
                    await journal.meet_undo(step_name(full), undoing, retries=retries)
                return value
            async with _told(journal, full, about) as told:
                try:
                    value = await _attempts(journal, full, call, retries, told)
                except LeaseLost:
                    raise
                except Exception as error:
                    failed = StepFailed(name, _type_of(error), hide(str(error)))
                    kept = error_object(failed.error_type, failed.reason)
                    kept["data"]["fail"] = isinstance(error, Fail)
                    journal.failed(
                        Failure(
                            name=full,
                            error=kept,
                            at=operation.place,
                            ran=journal.ran(operation),
                        )
                    )
                    if isinstance(error, Fail | Retry):
                        raise
                    raise failed from error
                text = _encoded(journal, full, value, returns, hidden=hidden)
                recorded_text = await _record(
                    journal, operation, full, text, about, undo=undo is not None
                )
                return _decoded(recorded_text, returns)


@asynccontextmanager
async def _told(
    journal: Journal, name: str, about: Turn | ToolUse | None
) -> AsyncIterator[Step | None]:
    """Let middleware hear of a step that is run, where anybody listens."""
    if not middleware.heard("before_step", "after_step"):
        yield None
        return
    worker, lease = journal.worker, journal.lease
    from sqswarm.schemas.heard import Step, ToolUse, Turn

    told = Step(
        task_id=lease.task_id,
        agent=lease.agent,
        attempt=lease.attempt,
        name=name,
        began_ms=worker.now_ms(),
        turn=about if isinstance(about, Turn) else None,
        tool=about if isinstance(about, ToolUse) else None,
    )
    await middleware.tell("before_step", told)
    try:
        yield told
    except BaseException as error:
        told.exception = error.__cause__ if isinstance(error, StepFailed) else error
        raise
    finally:
        told.ended_ms = worker.now_ms()
        await middleware.tell("after_step", told)


async def _replayed(
    journal: Journal, name: str, full: str, recorded: JournalEntry, returns: Any
) -> Any:
    if recorded.outcome is not None:
        text = await _text(journal, recorded.outcome)
        try:
            return _decoded(text, returns)
        except ValueError as unfit:  # pydantic's too: the step returned something else by then
            await journal.misfits(taken_otherwise(recorded.position, step_name(full), unfit))
    error = recorded.error or error_object("error", "")
    if error["data"].get("fail"):
        raise Fail(error["message"], type=error["data"]["type"])
    raise StepFailed(name, error["data"]["type"], error["message"])


def _type_of(error: Exception) -> str:
    return error.type if isinstance(error, Fail) else type(error).__name__


async def _attempts(
    journal: Journal,
    name: str,
    call: Callable[[], Any],
    retries: int,
    told: Step | None,
) -> Any:
    attempt = 1
    while True:
        try:
            return await called(journal, call)
        except (Fail, LeaseLost):
            raise
        except Exception as error:
            if attempt > retries:
                raise
            after = error.after if isinstance(error, Retry) else None
            jitter = journal.worker.runner.jitter()
            wait_s = float(backoff_s(attempt, jitter=jitter)) / 2 if after is None else after
            journal.worker.log.warning(
                "step.failed",
                task_id=journal.lease.task_id,
                step=name,
                attempt=attempt,
                retry_in_s=wait_s,
                why=hide(f"{type(error).__name__}: {error}")[:500],
            )
            await journal.worker.runner.sleep(wait_s)
            attempt += 1
            if told is not None:
                told.tries = attempt


async def run_undo(journal: Journal, undo: StepUndo) -> Ran:
    """Undo a recorded step, and return when; raises what its undo raises in the end."""
    full = undo.name.removeprefix(step_name(""))
    began_ms = journal.worker.now_ms()
    async with _told(journal, f"undo of {full}", None) as told:
        await _attempts(journal, f"undo of {full}", undo.call, undo.retries, told)
    return Ran(began_ms=began_ms, ended_ms=journal.worker.now_ms())


async def called(journal: Journal, call: Callable[[], Any]) -> Any:
    """Call a coroutine function on the loop, a plain one on a thread."""
    if inspect.iscoroutinefunction(getattr(call, "func", call)):
        return await call()
    value = await on_thread(_threads(), call, left=journal.left_thread)
    return await value if inspect.isawaitable(value) else value


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="step")


async def _record(
    journal: Journal,
    operation: Operation,
    name: str,
    text: str,
    about: Turn | ToolUse | None,
    *,
    undo: bool,
) -> str:
    """Record an outcome and return the one that is recorded: an answer may have been lost."""
    worker, lease = journal.worker, journal.lease
    outcome, ran = Payload(inline=text), journal.ran(operation)
    if check_size(text, what=f"the outcome of step {name!r}") > RECORD_INLINE_LIMIT_BYTES:
        key = payload_key(lease.agent, lease.task_id, f"step-{lease.v}-{operation.position}")
        async with journal.machinery():
            outcome = Payload(ref=await worker.blobs.put(key, text.encode()))
    _, made = protocol.record_step(
        lease,
        name,
        outcome,
        at=operation.place,
        ttl_s=journal.expires_s(),
        ran=ran,
        kind=None if about is None else about.kind,
        paid=None if about is None else about.paid,
    )
    [added] = await journal.record(made, undo=undo)
    if isinstance(added, Refused) and added.item is not None:
        item = added.item
        ref = Payload(ref=item["outcome_ref"]) if "outcome_ref" in item else None
        return await _text(journal, ref or Payload(inline=item["outcome"]))
    worker.log.info("step.recorded", task_id=lease.task_id, step=name, bytes=size_bytes(text))
    return text


async def _text(journal: Journal, outcome: Payload) -> str:
    if outcome.inline is not None:
        return outcome.inline
    async with journal.machinery():
        data = await journal.worker.blobs.get(str(outcome.ref))
    if data is None:
        message = f"a step's outcome at {outcome.ref} {GONE}"
        raise Fail(message, type="PayloadExpired")
    return data.decode()


def _encoded(journal: Journal, name: str, value: Any, returns: Any, *, hidden: bool) -> str:
    from pydantic import ValidationError
    from pydantic_core import PydanticSerializationError, to_jsonable_python

    try:
        if returns is not None:
            value = returns.dump_python(returns.validate_python(value), mode="json")
        plain = to_jsonable_python(value)
        kept = hide_all(plain) if hidden else plain
        if kept != plain:
            # The run goes on with what a replay will find; whoever wonders why is told.
            journal.worker.log.warning(
                "step.redacted", task_id=journal.lease.task_id, step=name, shown_as=HIDDEN
            )
            if returns is not None:
                returns.validate_python(kept)
        return dumps({WRAPPED_KEY: kept}, nesting=NESTING_LIMIT + 1)
    except (
        *(ValidationError, PydanticSerializationError),
        *(TypeError, ValueError, RecursionError),
    ) as error:
        message = f"step {name!r} returned what cannot be recorded: {error}"
        raise Fail(message, type="InvalidStep") from error


def _decoded(text: str, returns: Any) -> Any:
    value = loads(text)[WRAPPED_KEY]
    return value if returns is None else returns.validate_python(value)


def return_type(function: Callable[..., Any]) -> Any:
    """Return pydantic's adapter of what `function` says it returns, None where it says nothing."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        annotation = inspect.signature(function, eval_str=True).return_annotation
        if annotation in {inspect.Signature.empty, Any}:
            return None
        return TypeAdapter(annotation)
    except (NameError, TypeError, ValueError, SyntaxError, PydanticUserError):
        return None  # then JSON's own types serve
