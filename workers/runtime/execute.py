"""Execute: run an agent's function on validated arguments and say what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, cast

from sqswarm.backends.redact import hide
from sqswarm.schemas.errors import (
    AskDeclined,
    AskTimedOut,
    ChildFailed,
    InvalidReturn,
    LeaseLost,
    ReceiveTimedOut,
    RemoteFailed,
    SecretNotFound,
    StepFailed,
    SwarmError,
    UsageError,
)
from sqswarm.schemas.results import INTERNAL_ERROR, INVALID_PARAMS
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.durable.journal import Journal, PastUnread
from sqswarm.workers.runtime.outcome import (
    Broke,
    Fail,
    Failed,
    Misfitted,
    Outcome,
    Retry,
    Returned,
    Undone,
)
from sqswarm.workers.runtime.threads import on_thread

_CLEAN_UP_S = 2.0
"""How long a suspended or timed-out agent's `finally` blocks may take."""


_SUSPENDED = object()


class AgentExecutor:
    """Runs one agent's tasks side by side: coroutines on the loop, plain functions on threads."""

    def __init__(self, agent: AnyAgent, *, slots: int) -> None:
        """Prepare for `agent`, at most `slots` at a time; compiles its signature (pydantic)."""
        self._agent = agent
        self._slots = slots
        self._signature = agent.signature
        self._threads: ThreadPoolExecutor | None = None
        self.hung = 0
        """Threads that ran past their time-out: Python cannot stop them."""

    async def execute(
        self, arguments: Mapping[str, Any], context: TaskContext, *, timeout_s: float
    ) -> Outcome:
        """Run the agent once; whatever it raises becomes an outcome.

        LeaseLost passes through: then another worker's outcome counts.
        """
        from pydantic import ValidationError

        try:
            bound = self._signature.bind(arguments)
        except ValidationError as error:
            return Failed(
                error_type="InvalidArguments",
                message=_brief(error),
                code=INVALID_PARAMS,
                exception=error,
            )
        journal = None
        if self._signature.takes_context:
            bound["ctx"] = context
            journal = context.journal
        try:
            return await self._outcome(bound, journal, timeout_s)
        except (LeaseLost, asyncio.CancelledError):
            raise
        except Exception as error:
            steps = () if journal is None else journal.failed_steps
            return replace(_failure(error, context), exception=error, steps=steps)

    async def _outcome(
        self, bound: dict[str, Any], journal: Journal | None, timeout_s: float
    ) -> Outcome:
        try:
            async with asyncio.timeout(timeout_s) as limit:
                if journal is None or not self._agent.is_async:
                    value = await self._call(bound)
                else:
                    value = await self._call_recorded(bound, journal)
        except TimeoutError:
            if not limit.expired():
                raise
            return Broke(
                error_type="AgentTimedOut", message=f"no result within {round(timeout_s, 1)} s"
            )
        if journal is not None:
            if journal.undo is not None:
                return cast("Outcome", value)
            if value is _SUSPENDED:
                return journal.outcome()
            if (misfit := await journal.misfit()) is not None:
                return Misfitted(misfit=misfit)
        text, wrapped = self._signature.encode(value)
        return Returned(text=text, wrapped=wrapped)

    async def _call_recorded(self, bound: dict[str, Any], journal: Journal) -> Any:
        """Await the agent until it returns, or until all of it waits; then cancel it.

        Cancelling is what suspends: it passes through `except Exception`, and through gather and
        task groups as they mean it to.
        """
        if journal.has_waited or journal.undo is not None:
            await journal.read()  # it will be needed: and a patch must know it at once
            if journal.undo is not None and not journal.undo.left:
                return Undone(undoing=journal.undo.undoing)
        try:
            return await self._once(bound, journal)
        except PastUnread:
            await journal.read()
            journal.run_again()
            return await self._once(bound, journal)

    async def _once(self, bound: dict[str, Any], journal: Journal) -> Any:
        running = asyncio.ensure_future(self._called(bound))
        suspended = asyncio.ensure_future(journal.suspended.wait())
        try:
            await asyncio.wait({running, suspended}, return_when=asyncio.FIRST_COMPLETED)
            if journal.undo is not None:
                from sqswarm.workers.runtime.undo import undo_recorded

                return await undo_recorded(journal, journal.undo, running)
            return await running if running.done() else _SUSPENDED
        finally:
            journal.close()
            suspended.cancel()
            running.cancel()
            # Its clean-up has a moment; what ignores being cancelled is left behind.
            _, stubborn = await asyncio.wait({running}, timeout=_CLEAN_UP_S)
            for task in {running} - stubborn:
                if not task.cancelled():
                    task.exception()  # looked at, so that nobody is told it was not
            self.hung += journal.hung

    async def _called(self, bound: dict[str, Any]) -> Any:
        """Await a coroutine agent; one that would end the process ends its own attempt."""
        try:
            return await self._agent.function(**bound)
        except (Exception, asyncio.CancelledError, PastUnread):
            raise
        except BaseException as error:
            raise _contained(error) from error

    async def _call(self, bound: dict[str, Any]) -> Any:
        if self._agent.is_async:
            return await self._called(bound)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._slots, thread_name_prefix=self._agent.name)
        call = partial(_finish(self._agent.function), bound)
        return await on_thread(self._threads, call, left=self._left)

    def _left(self) -> None:
        self.hung += 1


class NotLoaded:
    """Stands in for an agent whose code does not load: every task gets the reason.

    Code that is wrong stays wrong: its tasks fail at once. What broke otherwise while it was
    loaded (a service that did not answer) may be better at the next attempt.
    """

    hung = 0

    def __init__(self, error: BaseException) -> None:
        """Keep why: errors of our own say where in the agent's code."""
        what = str(error) if isinstance(error, SwarmError) else f"{type(error).__name__}: {error}"
        self.reason = f"the agent's code does not load: {what}"
        while error.__cause__ is not None:
            error = error.__cause__
        self._outcome: Outcome = (
            Failed(error_type="AgentNotLoaded", message=self.reason)
            if isinstance(error, ImportError | SyntaxError | SwarmError | NameError | SystemExit)
            else Broke(error_type="AgentNotLoaded", message=self.reason)
        )

    async def execute(
        self, arguments: Mapping[str, Any], context: TaskContext, *, timeout_s: float
    ) -> Outcome:
        """Return why there is no result."""
        del arguments, context, timeout_s
        return self._outcome


def _failure(error: Exception, context: TaskContext) -> Broke | Failed:
    """Return how an attempt ends that raised; what nobody meant to raise is logged whole."""
    outcome = _meant(error)
    kind = type(error).__name__
    if outcome is None:
        context.log.error("agent.raised", error_type=kind, error=_traceback(error))
        return Broke(error_type=kind, message=str(error))
    if isinstance(outcome, Failed):
        context.log.warning("agent.failed", error_type=outcome.error_type, error=outcome.message)
    return outcome


def _meant(error: Exception) -> Broke | Failed | None:
    """Return what an error says should become of the task; None where it says nothing of that."""
    match error:
        case Retry():
            return Broke(error_type="Retry", message=str(error), after_s=error.after)
        case Fail():
            return Failed(error_type=error.type, message=str(error))
        case InvalidReturn():
            return Failed(error_type="InvalidReturn", message=str(error), code=INTERNAL_ERROR)
        case (
            ChildFailed()
            | RemoteFailed()
            | AskTimedOut()
            | ReceiveTimedOut()
            | AskDeclined()
            | UsageError()
            | SecretNotFound()
        ):
            # Recorded for good, or wrong however often it is tried: the agent did not catch it.
            return Failed(error_type=type(error).__name__, message=str(error))
        case StepFailed():
            return Broke(error_type=error.error_type, message=error.reason)
    return None


def _finish(function: Any) -> Any:
    """Return a call of `function` that no StopIteration can escape (a future cannot carry it).

    Nor SystemExit and the like, which would end the event loop and all that runs on it.
    """

    def call(bound: dict[str, Any]) -> Any:
        try:
            return function(**bound)
        except StopIteration as error:
            raise _contained(error) from error
        except Exception:
            raise
        except BaseException as error:
            raise _contained(error) from error

    return call


def _contained(error: BaseException) -> RuntimeError:
    return RuntimeError(f"the agent raised {type(error).__name__}: {error}")


def _brief(error: Exception) -> str:
    return hide(str(error))[:2000]


def _traceback(error: BaseException) -> str:
    import traceback

    return hide("".join(traceback.format_exception(error)))[-4000:]
