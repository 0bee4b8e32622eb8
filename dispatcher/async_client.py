"""AsyncSwarm: the client, as coroutines (aioboto3). `Swarm` has the same names and blocks."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from sqswarm.backends.aws.caller import AioCaller
from sqswarm.backends.aws.connect import client_options, settings_from_environment
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.async_map_run import AsyncMapRuns
from sqswarm.dispatcher.async_starting import AsyncStarting
from sqswarm.dispatcher.async_task import AsyncTask
from sqswarm.dispatcher.bulk import (
    COUNTED_LIMIT,
    Act,
    Acted,
    Matched,
    act_on_matching,
    count_matching,
)
from sqswarm.dispatcher.connection import Connection, open_connection
from sqswarm.dispatcher.failure_groups import FailureGroups, group_failures
from sqswarm.dispatcher.jsonable import jsonable
from sqswarm.dispatcher.lifecycle.answer import DECLINED, answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.dead_letter_groups import DeadLetterGroups, group_dead_letters
from sqswarm.dispatcher.lifecycle.dead_letters import Chosen, DeadLetters, peek
from sqswarm.dispatcher.lifecycle.pause_task import pause_task
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.lifecycle.redrive_letters import Redriven, redrive_dead_letters
from sqswarm.dispatcher.lifecycle.resume import resume
from sqswarm.dispatcher.lifecycle.send import send
from sqswarm.dispatcher.listing import TaskPage, list_tasks
from sqswarm.dispatcher.pause import pause_agents, read_paused, resume_agents
from sqswarm.dispatcher.publish import publish
from sqswarm.dispatcher.stats import stats
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.timeline import DEPTH, LIMIT, timeline
from sqswarm.dispatcher.tracing import start_tracing
from sqswarm.dispatcher.view import TaskView, state, view
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.naming import UNROUTED, NamedAgent, agent_name
from sqswarm.schemas.paused import Paused
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.stats import Stats
from sqswarm.schemas.task_filter import Moment, TaskFilter, moment_ms_of
from sqswarm.schemas.timeline import Timeline

Tasks = list[AsyncTask[Any]]
Entries = list[CatalogueEntry]


class Filters(TypedDict, total=False):
    """Which tasks are meant, as `list` takes it; all that is given has to fit."""

    status: Status | str | None
    agent: str | NamedAgent | None
    since: Moment | None
    until: Moment | None
    principal: str | None
    error_type: str | None
    where: dict[str, str] | None


class AsyncSwarm(AsyncStarting, AsyncMapRuns):
    """A connection to one stage's swarm: `async with await AsyncSwarm.connect() as swarm`."""

    def __init__(self, connection: Connection, caller: AioCaller | None = None) -> None:
        """Swarms are made by `connect`; `caller`'s connections are closed with the swarm."""
        self._connection = connection
        self._caller = caller

    @classmethod
    async def connect(cls, settings: Settings | None = None, *, operator: bool = False) -> Self:
        """Connect to the stage and endpoint that the environment (or `settings`) names.

        See `Swarm.connect`.
        """
        import aioboto3

        settings = settings or settings_from_environment()
        start_tracing(os.environ)
        caller = AioCaller(aioboto3.Session(), lambda service: client_options(settings, service))
        try:
            connection = await open_connection(settings, caller, AsyncRunner(), operator=operator)
        except BaseException:
            await caller.close()
            raise
        return cls(connection, caller)

    async def close(self) -> None:
        """Close the connections."""
        if self._caller is not None:
            await self._caller.close()

    async def __aenter__(self) -> Self:
        """Return the swarm itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    @property
    def principal(self) -> str:
        """Return who this connection's tasks belong to."""
        return self._connection.principal

    async def publish(
        self,
        topic: str,
        payload: Any,
        *,
        type: str | None = None,  # noqa: A002 - the contract's word
    ) -> Tasks:
        """Publish an event; see `Swarm.publish`."""
        return (await self.publish_many(topic, [payload], type=type))[0]

    async def publish_many(
        self,
        topic: str,
        payloads: Sequence[Any],
        *,
        type: str | None = None,  # noqa: A002
    ) -> Sequence[Tasks]:
        """Publish several events; see `Swarm.publish_many`."""
        events = await publish(self._connection, topic, payloads, event_type=type)
        return [self._handles(tasks) for tasks in events]

    async def get(self, task_id: str) -> TaskView:
        """Return a task as it stands; raises TaskNotFound where this principal has none."""
        return await view(self._connection, task_id)

    async def timeline(self, task_id: str, *, depth: int = DEPTH, limit: int = LIMIT) -> Timeline:
        """Return what became of a task, with times; see `Swarm.timeline`."""
        return await timeline(self._connection, task_id, depth=depth, limit=limit)

    async def task(self, task_id: str) -> AsyncTask[Any]:
        """Return a handle of a task submitted earlier; raises TaskNotFound as `get` does."""
        record = (await self.get(task_id)).record
        return AsyncTask(self._connection, Submitted(task_id=task_id, agent=record.agent))

    async def cancel(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Cancel a task and return the status it ended with; see `Swarm.cancel`."""
        name = None if agent is None else agent_name(agent)
        return await cancel(self._connection, task_id, agent=name)

    async def answer(self, task_id: str, key: str, value: Any) -> Status:
        """Answer the open question `key` of a task; see `Swarm.answer`."""
        return await answer(self._connection, task_id, key, value)

    async def send(
        self, task_id: str, topic: str, value: Any, *, idempotency_key: str | None = None
    ) -> Status:
        """Send a value into a task; see `Swarm.send`."""
        return await send(self._connection, task_id, topic, value, idempotency_key=idempotency_key)

    async def state(self, task_id: str) -> Any:
        """Return what the agent of a task exposed last; see `Swarm.state`."""
        return await state(self._connection, task_id)

    async def decline(self, task_id: str, key: str) -> Status:
        """Decline to answer the open question `key` of a task; see `Swarm.decline`."""
        return await answer(self._connection, task_id, key, DECLINED)

    async def inbox(
        self,
        *,
        agent: str | NamedAgent | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        principal: str | None = None,
        where: dict[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Return the tasks that wait for people, the newest first; see `Swarm.inbox`."""
        return await self.list(
            status=Status.INPUT_REQUIRED,
            agent=agent,
            since=since,
            until=until,
            principal=principal,
            where=where,
            limit=limit,
            cursor=cursor,
        )

    async def pause_task(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Let no worker begin a run of a task until it is resumed; see `Swarm.pause_task`."""
        name = None if agent is None else agent_name(agent)
        return await pause_task(self._connection, task_id, agent=name)

    async def resume_task(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Let a parked or paused task go on and return its status; see `Swarm.resume_task`."""
        name = None if agent is None else agent_name(agent)
        return await resume(self._connection, task_id, agent=name)

    async def redrive(
        self,
        task_id: str,
        *,
        from_step: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> AsyncTask[Any]:
        """Run an ended task again as a new task, from its start or a step; see `Swarm.redrive`."""
        given = _jsonable(arguments)
        made = await redrive(self._connection, task_id, from_step=from_step, arguments=given)
        return AsyncTask(self._connection, made)

    def redrive_dead_letters(
        self,
        agent: str | NamedAgent,
        *,
        task_ids: Collection[str] | None = None,
        reason: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
        rate_per_s: float | None = None,
    ) -> AsyncGenerator[Redriven]:
        """Redrive an agent's dead letters; see `Swarm.redrive_dead_letters`."""
        return redrive_dead_letters(
            self._connection,
            agent_name(agent),
            chosen=Chosen(task_ids=task_ids, reason=reason, since_ms=self._ms(since)),
            limit=limit,
            rate_per_s=rate_per_s,
        )

    async def dead_letters(
        self,
        agent: str | NamedAgent,
        *,
        limit: int = 10,
        offset: int = 0,
        reason: str | None = None,
        since: Moment | None = None,
    ) -> DeadLetters:
        """Return some of an agent's dead letters; see `Swarm.dead_letters`."""
        chosen = Chosen(reason=reason, since_ms=self._ms(since))
        return await peek(
            self._connection, agent_name(agent), limit=limit, offset=offset, chosen=chosen
        )

    async def dead_letter_groups(self, agent: str | NamedAgent | None = None) -> DeadLetterGroups:
        """Return dead letters grouped by reason; see `Swarm.dead_letter_groups`."""
        names = self._connection.catalogue.agents if agent is None else [agent_name(agent)]
        everyone = [*names, UNROUTED] if agent is None else [*names]
        return await group_dead_letters(self._connection, everyone)

    async def failure_groups(
        self, *, limit: int = COUNTED_LIMIT, **wanted: Unpack[Filters]
    ) -> FailureGroups:
        """Return failed tasks grouped by agent and type of error; see `Swarm.failure_groups`."""
        return await group_failures(self._connection, self._filter(wanted), limit=limit)

    async def count_matching(
        self, act: Act | str, *, limit: int = COUNTED_LIMIT, **wanted: Unpack[Filters]
    ) -> Matched:
        """Count the tasks that an act would be done with; see `Swarm.count_matching`."""
        return await count_matching(self._connection, Act(act), self._filter(wanted), limit=limit)

    def redrive_matching(
        self,
        *,
        limit: int | None = None,
        rate_per_s: float | None = None,
        from_step: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        **wanted: Unpack[Filters],
    ) -> AsyncGenerator[Acted]:
        """Run all tasks that match again; see `Swarm.redrive_matching`."""
        return act_on_matching(
            self._connection,
            Act.REDRIVE,
            self._filter(wanted),
            limit=limit,
            rate_per_s=rate_per_s,
            from_step=from_step,
            arguments=_jsonable(arguments),
        )

    def cancel_matching(
        self,
        *,
        limit: int | None = None,
        rate_per_s: float | None = None,
        **wanted: Unpack[Filters],
    ) -> AsyncGenerator[Acted]:
        """Cancel all tasks that match; see `Swarm.cancel_matching`."""
        matching = self._filter(wanted)
        return act_on_matching(
            self._connection, Act.CANCEL, matching, limit=limit, rate_per_s=rate_per_s
        )

    async def list(
        self,
        *,
        status: Status | str | None = None,
        agent: str | NamedAgent | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        principal: str | None = None,
        error_type: str | None = None,
        where: dict[str, str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> TaskPage:
        """Return a page of the newest tasks; see `Swarm.list`."""
        wanted: Filters = {
            "status": status,
            "agent": agent,
            "principal": principal,
            "since": since,
            "until": until,
            "error_type": error_type,
            "where": where,
        }
        return await list_tasks(self._connection, self._filter(wanted), limit=limit, cursor=cursor)

    async def stats(self, *, since_s: float = 3600, agent: str | NamedAgent | None = None) -> Stats:
        """Return how agents do: rates, times, backlog, failures by type and cost; see Swarm."""
        agents = None if agent is None else (agent_name(agent),)
        return await stats(self._connection, since_s=since_s, agents=agents)

    async def pause(self, agent: str | NamedAgent | None = None) -> Paused:
        """Let an agent (default: all) begin nothing until it is resumed; see `Swarm.pause`."""
        return await pause_agents(self._connection, _one(agent))

    async def resume(self, agent: str | NamedAgent | None = None) -> Paused:
        """Let an agent (default: all) go on; see `Swarm.resume`."""
        return await resume_agents(self._connection, _one(agent))

    async def paused(self) -> Paused:
        """Return which agents are paused, since when and by whom."""
        return await read_paused(self._connection)

    def agents(self) -> Entries:
        """Return the deployed agents in the order of their names."""
        return [*self._connection.catalogue.agents.values()]

    def _filter(self, wanted: Filters) -> TaskFilter:
        agent = wanted.get("agent")
        given: dict[str, Any] = {
            **wanted,
            "agent": None if agent is None else agent_name(agent),
            "now_ms": self._connection.runner.now_ms(),
        }
        return TaskFilter.of(**given)

    def _ms(self, moment: Moment | None) -> int | None:
        now_ms = self._connection.runner.now_ms()
        return None if moment is None else moment_ms_of(moment, now_ms=now_ms)

    def _handles(self, submitted: Iterable[Submitted]) -> Tasks:
        return [AsyncTask(self._connection, one) for one in submitted]


def _one(agent: str | NamedAgent | None) -> list[str] | None:
    return None if agent is None else [agent_name(agent)]


def _jsonable(arguments: Mapping[str, Any] | None) -> JsonObject | None:
    return None if arguments is None else dict(jsonable(arguments, place="arguments"))
