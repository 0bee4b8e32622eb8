"""Swarm's ways to start tasks and to wait for them, typed by the agent that is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from sqswarm.backends.runner import iterate_straight, run_straight
from sqswarm.dispatcher.async_starting import AsyncStarting
from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.deadline import Deadline
from sqswarm.dispatcher.map import Done
from sqswarm.dispatcher.submit import Request
from sqswarm.dispatcher.task import Task
from sqswarm.dispatcher.typed import AnyAsync, AnyPlain, Async, P, Plain, R, Takes, Waits
from sqswarm.schemas.naming import NamedAgent


class Starting:
    """The part of Swarm whose results have the agents' types; see AsyncStarting."""

    _swarm: AsyncStarting

    def _handle(self, task: AsyncTask[R]) -> Task[R]:
        return Task(task)

    @overload
    def submit(
        self,
        agent: str,
        /,
        *,
        idempotency_key: str | None = None,
        delay: int = 0,
        ordering_key: str | None = None,
        session_id: str | None = None,
        durable: bool = False,
        tags: dict[str, str] | None = None,
        notify: str | Sequence[str] | None = None,
        deadline: Deadline | None = None,
        singleton: str | None = None,
        when_behind: str | None = None,
        older_than: int = 60,
        **arguments: Any,
    ) -> Task[Any]: ...

    @overload
    def submit(self, agent: Waits[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...

    @overload
    def submit(self, agent: Async[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, idempotency_key: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(self, agent: AnyAsync[R], /, *, delay: int, **arguments: Any) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, session_id: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(self, agent: AnyAsync[R], /, *, durable: bool, **arguments: Any) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, tags: dict[str, str] | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, notify: str | Sequence[str] | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, deadline: Deadline | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, singleton: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyAsync[R], /, *, when_behind: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(self, agent: Takes[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...

    @overload
    def submit(self, agent: Plain[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, idempotency_key: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(self, agent: AnyPlain[R], /, *, delay: int, **arguments: Any) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, session_id: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(self, agent: AnyPlain[R], /, *, durable: bool, **arguments: Any) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, tags: dict[str, str] | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, notify: str | Sequence[str] | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, deadline: Deadline | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, singleton: str | None, **arguments: Any
    ) -> Task[R]: ...

    @overload
    def submit(
        self, agent: AnyPlain[R], /, *, when_behind: str | None, **arguments: Any
    ) -> Task[R]: ...

    def submit(  # type: ignore[misc] # no agent has an argument of an option's name: RESERVED
        self,
        agent: str | NamedAgent,
        /,
        *args: Any,
        idempotency_key: str | None = None,
        delay: int = 0,
        ordering_key: str | None = None,
        session_id: str | None = None,
        durable: bool = False,
        tags: dict[str, str] | None = None,
        notify: str | Sequence[str] | None = None,
        deadline: Deadline | None = None,
        singleton: str | None = None,
        when_behind: str | None = None,
        older_than: int = 60,
        **arguments: Any,
    ) -> Task[Any]:
        """Submit one task for an agent, given by its name or as itself.

        Every other keyword is an argument of the agent.

        With `idempotency_key` a repeat returns the first task. `delay` is seconds before a worker
        may see it, up to a year (over 900, to the minute). `durable` records the task before
        publishing it, so that its id resolves at once. `tags` are what `list(where=...)` finds it
        by: ten at most, text. `notify` names who is told when it ends: an SNS topic, an SQS queue,
        an EventBridge bus or a webhook that the stage names (docs/howto/be_told.md); it makes the
        task `durable`. After `deadline` (seconds from now, a timedelta, or a datetime with its
        zone) no run of it begins, nor of its children: it ends `failed`, `DeadlineExceeded`.
        While a task of your own with this `singleton` key is under way at the agent, no other is
        started: that one is returned, whatever its arguments. Where the agent's oldest message is
        `older_than` seconds old, `when_behind="refuse"` raises Backlogged, and "wait" waits until
        it has caught up, or `deadline` seconds.
        Raises UnknownAgent, InvalidArguments, NotifyRefused, PayloadTooLarge, IdempotencyConflict,
        PublishFailed; only the last after publishing any.
        """
        given: Any = agent  # the overloads have said what goes with what
        task = self._swarm.submit(
            given,
            *args,
            idempotency_key=idempotency_key,
            delay=delay,
            ordering_key=ordering_key,
            session_id=session_id,
            durable=durable,
            tags=tags,
            notify=notify,
            deadline=deadline,
            singleton=singleton,
            when_behind=when_behind,
            older_than=older_than,
            **arguments,
        )
        return self._handle(run_straight(task))

    @overload
    def submit_many(self, agent: str, requests: Sequence[Request]) -> list[Task[Any]]: ...

    @overload
    def submit_many(self, agent: AnyAsync[R], requests: Sequence[Request]) -> list[Task[R]]: ...

    @overload
    def submit_many(self, agent: AnyPlain[R], requests: Sequence[Request]) -> list[Task[R]]: ...

    def submit_many(self, agent: str | NamedAgent, requests: Sequence[Request]) -> list[Task[Any]]:
        """Submit several tasks for one agent, ten a request; see `submit`."""
        given: Any = agent
        return [self._handle(one) for one in run_straight(self._swarm.submit_many(given, requests))]

    @overload
    def map(
        self,
        agent: str,
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> Iterator[Done[Any]]: ...

    @overload
    def map(
        self,
        agent: AnyAsync[R],
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> Iterator[Done[R]]: ...

    @overload
    def map(
        self,
        agent: AnyPlain[R],
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> Iterator[Done[R]]: ...

    def map(
        self,
        agent: str | NamedAgent,
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> Iterator[Done[Any]]:
        """Run `agent` on each row of arguments and yield each row's end.

        Rows are published in batches and read lazily; results stream back in the rows' order,
        or as they come with `ordered=False`. A list is validated whole before anything is
        published. A failed row is a Done with `error`. `notify` is as of `submit`, for each row's
        task. Raises TimedOut after `timeout` seconds.
        """
        given: Any = agent
        mapped = self._swarm.map(given, rows, ordered=ordered, timeout=timeout, notify=notify)
        return iterate_straight(mapped)

    @overload
    def wait(self, tasks: Iterable[Task[R]], timeout: float | None = None) -> Iterator[Task[R]]: ...

    @overload
    def wait(
        self,
        tasks: Iterable[Task[Any] | str],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> Iterator[Task[Any]]: ...

    def wait(
        self,
        tasks: Iterable[Task[Any] | str],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> Iterator[Task[Any]]:
        """Yield tasks as they end; raises TimedOut when `timeout` seconds end first.

        Raises InputRequired once all that have not ended ask a person, unless `wait_for_answers`.
        """
        for task in iterate_straight(
            self._swarm.wait(tasks, timeout, wait_for_answers=wait_for_answers)
        ):
            yield self._handle(task)
