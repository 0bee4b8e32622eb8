"""Perform: run an agent's function on validated arguments and say what came of it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from schemas.errors import InvalidReturn, LeaseLost
from schemas.results import INTERNAL_ERROR, INVALID_PARAMS
from workers.agent import AnyAgent
from workers.context import TaskContext
from workers.outcome import Broke, Fail, Failed, Outcome, Retry, Returned


class Performer:
    """Runs one agent's tasks side by side: coroutines on the loop, plain functions on threads."""

    def __init__(self, agent: AnyAgent) -> None:
        """Prepare for `agent`; compiles its signature, which costs the first import of pydantic."""
        self._agent = agent
        self._signature = agent.signature
        self._threads: ThreadPoolExecutor | None = None
        self.hung = 0
        """Threads that ran past their time-out: Python cannot stop them."""

    async def perform(
        self, arguments: Mapping[str, Any], context: TaskContext, *, timeout_s: float
    ) -> Outcome:
        """Run the agent once; whatever it raises becomes an outcome.

        LeaseLost passes through: then another worker's outcome counts.
        """
        from pydantic import ValidationError

        try:
            bound = self._signature.bind(arguments)
        except ValidationError as error:
            return Failed(error_type="InvalidArguments", message=_brief(error), code=INVALID_PARAMS)
        if self._signature.takes_context:
            bound["ctx"] = context
        try:
            async with asyncio.timeout(timeout_s) as limit:
                value = await self._call(bound)
            text, wrapped = self._signature.encode(value)
        except TimeoutError as error:
            if not limit.expired():
                return Broke(error_type="TimeoutError", message=str(error))
            return Broke(
                error_type="AgentTimedOut", message=f"no result within {round(timeout_s, 1)} s"
            )
        except Retry as wish:
            return Broke(error_type="Retry", message=str(wish), after_s=wish.after)
        except Fail as end:
            return Failed(error_type=end.type, message=str(end))
        except InvalidReturn as error:
            return Failed(error_type="InvalidReturn", message=str(error), code=INTERNAL_ERROR)
        except (LeaseLost, asyncio.CancelledError):
            raise
        except Exception as error:
            context.log.error(
                "agent.raised", error_type=type(error).__name__, error=_traceback(error)
            )
            return Broke(error_type=type(error).__name__, message=str(error))
        return Returned(text=text, wrapped=wrapped)

    async def _call(self, bound: dict[str, Any]) -> Any:
        if self._agent.is_async:
            return await self._agent.function(**bound)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(
                self._agent.spec.batch_size, thread_name_prefix=self._agent.name
            )
        context = contextvars.copy_context()
        running = self._threads.submit(context.run, _finish(self._agent.function), bound)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if not running.cancel() and not running.done():
                self.hung += 1
            raise


def _finish(function: Any) -> Any:
    """Return a call of `function` that no StopIteration can escape (a future cannot carry it)."""

    def call(bound: dict[str, Any]) -> Any:
        try:
            return function(**bound)
        except StopIteration as error:
            message = f"the agent raised StopIteration: {error}"
            raise RuntimeError(message) from error

    return call


def _brief(error: Exception) -> str:
    return str(error)[:2000]


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))[-4000:]
