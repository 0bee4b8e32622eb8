"""TaskContext: what an agent may know and do about the task it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, overload

from sqswarm.backends.log import Log
from sqswarm.schemas.json import name_fault
from sqswarm.schemas.naming import NamedAgent, agent_name
from sqswarm.schemas.value import dataclass
from sqswarm.workers.runtime.outcome import Fail

if TYPE_CHECKING:  # they come from modules that need this one
    from datetime import timedelta

    from sqswarm.dispatcher.typed import AnyAsync, AnyPlain, Async, P, Plain, R, Takes, Waits
    from sqswarm.schemas.errors import ChildFailed
    from sqswarm.workers.durable.child import ChildTask
    from sqswarm.workers.durable.journal import Journal
    from sqswarm.workers.durable.remote import Remote
    from sqswarm.workers.durable.session import Session
    from sqswarm.workers.runtime.worker_context import WorkerContext

Report = Callable[[float, str | None], Awaitable[None]]
"""Records progress (0 to 1) and a message; raises LeaseLost where the task is another's."""

_RAISE: Any = object()


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """The task an agent runs, handed to its `ctx` parameter."""

    task_id: str
    attempt: int
    principal: str
    log: Log
    worker: WorkerContext = field(repr=False)
    session_id: str | None = None
    parent: str | None = None
    deadline_s: float = field(repr=False)
    report: Report | None = field(default=None, repr=False)
    journal: Journal | None = field(default=None, repr=False)

    def remaining_seconds(self) -> float:
        """Return how many seconds this attempt still has; 0 when it is over."""
        return max(0.0, self.deadline_s - self.worker.runner.monotonic())

    async def progress(self, fraction: float, message: str | None = None) -> None:
        """Show how far the task is: `fraction` 0 to 1, `message` as MCP's statusMessage.

        One table write a call. Raises ValueError outside 0 to 1, LeaseLost where another worker
        holds the task by now, and AttemptCancelled where the task was cancelled.
        """
        if not 0 <= fraction <= 1:
            message = f"progress is {fraction}; 0 to 1 is possible"
            raise ValueError(message)
        if self.report is not None:
            await self.report(fraction, message)

    async def expose(self, state: Any) -> None:
        """Show `state` to who asks for it: `task.state()`, while the task runs or waits, and after.

        JSON, or a model, of up to 4 KB; the last one counts. One table write a call, none for what
        is shown already. Raises LeaseLost and AttemptCancelled as `progress` does.
        """
        from sqswarm.workers.durable.expose import run_expose

        await run_expose(self._recorded("a state"), state)

    async def cancelled(self) -> bool:
        """Tell whether the task was cancelled: then stop, and return anything.

        Looks at the record at most once a second.
        """
        return self.journal is not None and await self.journal.is_cancelled()

    def patched(self, name: str) -> bool:
        """Tell whether this task goes by the new branch of a change to its agent's code.

        True for tasks that come here for the first time, and for ever after for those; False for
        those that had passed this place before `name` was there: they take the old branch. So
        both kinds go on, whatever is deployed while they wait. The answer is the same wherever a
        run asks for the name, and recorded with what the run records next. Take the old branch and
        the question out once no task is left that began before the change.
        """
        if fault := name_fault(name):
            message = f"a patch's name {fault}"
            raise Fail(message, type="InvalidPatch")
        return self.journal is None or self.journal.patched(name)

    async def step(
        self,
        name: str,
        function: Callable[..., Any],
        /,
        *args: Any,
        retries: int = 0,
        undo: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call `function` once for the whole task, and return its recorded outcome ever after.

        `function` may be a coroutine function or a plain one (run on a thread). Its outcome must
        be JSON, or of the type its annotation promises. It is tried `retries` times more, with
        growing pauses, before StepFailed reaches the agent; an agent that catches it and goes on
        has the failure recorded. Raises LeaseLost and AttemptCancelled as `progress` does.

        `undo` is called with the outcome should the task fail, or be cancelled, for good: the
        recorded steps that have one are undone one after another, the last that ended first, each
        recorded once it is done, and only then does the task end. It is tried as a step is. A step
        may still run twice where a worker dies between doing and recording: pass its work an
        idempotency key (`ctx.task_id` and the step's name). So may an undo.
        """
        from sqswarm.workers.durable.step import return_type, run_step

        call = partial(function, *args, **kwargs)
        return await run_step(
            self._recorded(f"step {name!r}"),
            name,
            call,
            returns=return_type(function),
            retries=retries,
            undo=undo,
        )

    @overload
    def task(
        self,
        agent: str,
        /,
        *,
        ordering_key: str | None = None,
        session_id: str | None = None,
        **arguments: Any,
    ) -> ChildTask[Any]: ...

    @overload
    def task(self, agent: Waits[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ChildTask[R]: ...

    @overload
    def task(self, agent: Async[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ChildTask[R]: ...

    @overload
    def task(
        self, agent: AnyAsync[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> ChildTask[R]: ...

    @overload
    def task(
        self, agent: AnyAsync[R], /, *, session_id: str | None, **arguments: Any
    ) -> ChildTask[R]: ...

    @overload
    def task(self, agent: Takes[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ChildTask[R]: ...

    @overload
    def task(self, agent: Plain[P, R], /, *args: P.args, **kwargs: P.kwargs) -> ChildTask[R]: ...

    @overload
    def task(
        self, agent: AnyPlain[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> ChildTask[R]: ...

    @overload
    def task(
        self, agent: AnyPlain[R], /, *, session_id: str | None, **arguments: Any
    ) -> ChildTask[R]: ...

    def task(  # type: ignore[misc] # no agent has an argument of an option's name: RESERVED
        self,
        agent: str | NamedAgent,
        /,
        *args: Any,
        ordering_key: str | None = None,
        session_id: str | None = None,
        **arguments: Any,
    ) -> ChildTask[Any]:
        """Describe a child task for `gather`; nothing happens yet."""
        from sqswarm.dispatcher.typed import arguments_of, parser_of
        from sqswarm.workers.durable.child import ChildTask

        return ChildTask(
            agent=agent_name(agent),
            arguments=arguments_of(agent, args, arguments),
            ordering_key=ordering_key,
            session_id=session_id,
            parse=parser_of(agent),
        )

    @overload
    async def call(self, agent: str, /, **arguments: Any) -> Any: ...

    @overload
    async def call(self, agent: Waits[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    async def call(self, agent: Async[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    async def call(self, agent: Takes[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    async def call(self, agent: Plain[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...

    async def call(self, agent: str | NamedAgent, /, *args: Any, **arguments: Any) -> Any:
        """Run a child task and return its result; this task waits without a worker meanwhile.

        Of an agent that is given as itself, that is what its annotation says; by its name, JSON.
        Raises ChildFailed where it failed or was cancelled; UnknownAgent, UndeclaredCall and
        InvalidArguments before it is started.
        """
        given: Any = agent  # the overloads have said what goes with what
        return (await self.gather(self.task(given, *args, **arguments)))[0]

    async def gather(
        self, *work: ChildTask[Any] | Awaitable[Any], return_exceptions: bool = False
    ) -> list[Any]:
        """Run child tasks side by side and return their results in order.

        Other calls of the context (`ctx.ask(...)`, `ctx.step(...)`) may stand among them. The
        first failure is raised, as ChildFailed, after all have ended; with `return_exceptions`
        failures stand in their places instead.
        """
        import asyncio

        from sqswarm.workers.durable.child import ChildTask, run_children

        journal = self._recorded("child tasks")
        tasks = [piece for piece in work if isinstance(piece, ChildTask)]
        others = [piece for piece in work if not isinstance(piece, ChildTask)]
        run = run_children(journal, tasks, return_exceptions=return_exceptions)
        if not others:
            return await run
        ended, *rest = await asyncio.gather(run, *others, return_exceptions=return_exceptions)
        if isinstance(ended, BaseException):
            raise ended
        results, values = iter(ended), iter(rest)
        return [next(results if isinstance(piece, ChildTask) else values) for piece in work]

    @overload
    async def map(
        self,
        agent: str,
        rows: Iterable[Any],
        /,
        *,
        return_exceptions: Literal[False] = False,
        **common: Any,
    ) -> list[Any]: ...

    @overload
    async def map(
        self,
        agent: AnyAsync[R],
        rows: Iterable[Any],
        /,
        *,
        return_exceptions: Literal[False] = False,
        **common: Any,
    ) -> list[R]: ...

    @overload
    async def map(
        self,
        agent: AnyPlain[R],
        rows: Iterable[Any],
        /,
        *,
        return_exceptions: Literal[False] = False,
        **common: Any,
    ) -> list[R]: ...

    @overload
    async def map(
        self, agent: str, rows: Iterable[Any], /, *, return_exceptions: bool, **common: Any
    ) -> list[Any]: ...

    @overload
    async def map(
        self, agent: AnyAsync[R], rows: Iterable[Any], /, *, return_exceptions: bool, **common: Any
    ) -> list[R | ChildFailed]: ...

    @overload
    async def map(
        self, agent: AnyPlain[R], rows: Iterable[Any], /, *, return_exceptions: bool, **common: Any
    ) -> list[R | ChildFailed]: ...

    async def map(
        self,
        agent: str | NamedAgent,
        rows: Iterable[Any],
        /,
        *,
        return_exceptions: bool = False,
        **common: Any,
    ) -> list[Any]:
        """Run one child task per row of arguments, `common` added to each; results in order."""
        from sqswarm.dispatcher.jsonable import jsonable

        given: Any = agent
        named = [row if isinstance(row, dict) else jsonable(row, place="a row") for row in rows]
        tasks = [self.task(given, **{**common, **row}) for row in named]
        return await self.gather(*tasks, return_exceptions=return_exceptions)

    async def ask(
        self,
        key: str,
        message: str,
        model: Any,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - people's time, not a coroutine's
        on_timeout: Any = _RAISE,
    ) -> Any:
        """Ask people `message` and return their answer, a value of `model`.

        The task is `input_required`, without a worker, until somebody answers `key`. After
        `timeout` seconds `on_timeout` is the answer, or AskTimedOut is raised where there is
        none. A key used again in the same task is another question: `key#2`.
        """
        from sqswarm.workers.durable.ask import RAISE, run_ask

        return await run_ask(
            self._recorded(f"question {key!r}"),
            key,
            message,
            model,
            timeout_s=timeout,
            on_timeout=RAISE if on_timeout is _RAISE else on_timeout,
        )

    async def receive(
        self,
        topic: str,
        model: Any = Any,
        /,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the sender's time, not a coroutine's
        on_timeout: Any = _RAISE,
    ) -> Any:
        """Return the next value that is sent to `topic` of this task, as a value of `model`.

        `task.send(topic, value)` sends one. Values of a topic come in the order in which they were
        sent, each once; those sent before the task asks are kept. Until one comes the task waits
        without a worker. After `timeout` seconds `on_timeout` is the value, or ReceiveTimedOut is
        raised where there is none.
        """
        from sqswarm.workers.durable.ask import RAISE
        from sqswarm.workers.durable.receive import run_receive

        return await run_receive(
            self._recorded(f"a signal of {topic!r}"),
            topic,
            model,
            timeout_s=timeout,
            on_timeout=RAISE if on_timeout is _RAISE else on_timeout,
        )

    async def sleep(self, seconds: float | timedelta) -> None:
        """Wait for up to a year, without a worker: seconds, or a timedelta.

        Up to 15 minutes it is exact to a second or two, for longer to a minute.
        """
        from sqswarm.workers.durable.sleep import run_sleep

        await run_sleep(self._recorded("a sleep"), seconds)

    def mcp(
        self,
        url: str,
        /,
        *,
        auth: str | None = None,
        timeout: float = 86_400,
    ) -> Remote:
        """Return the tools of an MCP server elsewhere: `await ctx.mcp(url).call("tool", a=1)`.

        A call that becomes a task there is waited for without a worker, up to `timeout` seconds.
        `auth` names a bearer token (`env:NAME` or `ssm:/path`), which is sent only to hosts named
        in SQSWARM_MCP_ALLOW. Without that setting only public https addresses are called.
        """
        from sqswarm.workers.durable.remote import Remote

        return Remote(
            journal=self._recorded("a remote call"),
            url=url,
            auth=auth,
            timeout_s=timeout,
            remaining_s=self.remaining_seconds,
        )

    def session(self, session_id: str, /, *, tokens: int = 30_000) -> Session:
        """Return the conversation under `session_id`: history in the table, 30 days from its last.

        It belongs to the task's principal and holds the newest messages of up to `tokens` tokens.
        """
        from sqswarm.workers.durable.session import Session

        return Session(self, self._recorded("a session"), session_id, tokens=tokens)

    def _recorded(self, what: str) -> Journal:
        if self.journal is None:
            message = f"{what} needs a record of the task, and this one has none while it runs"
            raise Fail(message, type="NeedsRecord")
        return self.journal
