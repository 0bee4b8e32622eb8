"""AsyncSwarm's ways to start tasks and to wait for them, typed by the agent that is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, overload

from sqswarm.dispatcher.async_task import AsyncTask, Handle
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.deadline import Deadline
from sqswarm.dispatcher.follow import Follower
from sqswarm.dispatcher.map import Done, Mapping
from sqswarm.dispatcher.submit import Request, Submitted, submit
from sqswarm.dispatcher.typed import (
    AnyAsync,
    AnyPlain,
    Async,
    P,
    Plain,
    R,
    Takes,
    Waits,
    arguments_of,
    parser_of,
)
from sqswarm.schemas.naming import NamedAgent, agent_name


class AsyncStarting:
    """The part of AsyncSwarm whose results have the agents' types.

    An option of `submit` beside an agent's arguments keeps a checker from these: a signature
    cannot have both. What they are is checked before anything is published all the same.
    """

    _connection: Connection

    @overload
    async def submit(
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
    ) -> AsyncTask[Any]: ...

    @overload
    async def submit(
        self, agent: Waits[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: Async[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, idempotency_key: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, delay: int, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, session_id: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, durable: bool, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, tags: dict[str, str] | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, notify: str | Sequence[str] | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, deadline: Deadline | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, singleton: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyAsync[R], /, *, when_behind: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: Takes[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: Plain[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, idempotency_key: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, delay: int, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, ordering_key: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, session_id: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, durable: bool, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, tags: dict[str, str] | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, notify: str | Sequence[str] | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, deadline: Deadline | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, singleton: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    @overload
    async def submit(
        self, agent: AnyPlain[R], /, *, when_behind: str | None, **arguments: Any
    ) -> AsyncTask[R]: ...

    async def submit(  # type: ignore[misc] # no agent has an argument of an option's name: RESERVED
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
    ) -> AsyncTask[Any]:
        """Submit one task; see `Swarm.submit`."""
        request = Request(
            arguments=arguments_of(agent, args, arguments),
            idempotency_key=idempotency_key,
            delay_s=delay,
            ordering_key=ordering_key,
            session_id=session_id,
            durable=durable,
            tags=tags,
            notify=notify,
            deadline=deadline,
            singleton=singleton,
            when_behind=when_behind,
            older_than_s=older_than,
        )
        return (await self._submit(agent, [request]))[0]

    @overload
    async def submit_many(
        self, agent: str, requests: Sequence[Request]
    ) -> list[AsyncTask[Any]]: ...

    @overload
    async def submit_many(
        self, agent: AnyAsync[R], requests: Sequence[Request]
    ) -> list[AsyncTask[R]]: ...

    @overload
    async def submit_many(
        self, agent: AnyPlain[R], requests: Sequence[Request]
    ) -> list[AsyncTask[R]]: ...

    async def submit_many(
        self, agent: str | NamedAgent, requests: Sequence[Request]
    ) -> list[AsyncTask[Any]]:
        """Submit several tasks for one agent, ten a request; see `Swarm.submit`."""
        return await self._submit(agent, requests)

    async def _submit(
        self, agent: str | NamedAgent, requests: Sequence[Request]
    ) -> list[AsyncTask[Any]]:
        submitted = await submit(self._connection, agent_name(agent), requests)
        parse = parser_of(agent)
        return [AsyncTask(self._connection, one, parse=parse) for one in submitted]

    @overload
    def map(
        self,
        agent: str,
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> AsyncGenerator[Done[Any]]: ...

    @overload
    def map(
        self,
        agent: AnyAsync[R],
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> AsyncGenerator[Done[R]]: ...

    @overload
    def map(
        self,
        agent: AnyPlain[R],
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> AsyncGenerator[Done[R]]: ...

    async def map(
        self,
        agent: str | NamedAgent,
        rows: Iterable[Any],
        *,
        ordered: bool = True,
        timeout: float | None = None,  # noqa: ASYNC109 - the contract's name
        notify: str | Sequence[str] | None = None,
    ) -> AsyncGenerator[Done[Any]]:
        """Run `agent` on each row of arguments and yield each row's end; see `Swarm.map`."""
        mapping = Mapping(
            self._connection,
            agent_name(agent),
            rows,
            ordered=ordered,
            timeout_s=timeout,
            parse=parser_of(agent),
            notify=notify,
        )
        while not mapping.finished:
            for done in await mapping.advance():
                yield done

    @overload
    def wait(
        self,
        tasks: Iterable[AsyncTask[R]],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> AsyncGenerator[AsyncTask[R]]: ...

    @overload
    def wait(
        self,
        tasks: Iterable[Handle | str],
        timeout: float | None = None,
        *,
        wait_for_answers: bool = False,
    ) -> AsyncGenerator[AsyncTask[Any]]: ...

    async def wait(
        self,
        tasks: Iterable[Handle | str],
        timeout: float | None = None,  # noqa: ASYNC109 - the contract's name
        *,
        wait_for_answers: bool = False,
    ) -> AsyncGenerator[AsyncTask[Any]]:
        """Yield tasks as they end; see `Swarm.wait`."""
        follower = Follower(self._connection, timeout_s=timeout, wait_for_answers=wait_for_answers)
        parses = {}
        for task in tasks:
            if isinstance(task, str):
                follower.add([task])
            else:
                follower.add([task.id], agent=task.agent)
                parses[task.id] = task.parse
        while follower.waiting:
            for ended in await follower.ended():
                submitted = Submitted(task_id=ended.id, agent=ended.record.agent)
                yield AsyncTask(self._connection, submitted, ended, parses.get(ended.id))
