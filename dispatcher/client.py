"""Swarm: the blocking client, AsyncSwarm run straight through where every AWS call blocks."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from sqswarm.backends.aws.caller import BlockingCaller
from sqswarm.backends.aws.connect import client_factory, settings_from_environment
from sqswarm.backends.runner import BlockingRunner, iterate_straight, run_straight
from sqswarm.dispatcher.async_client import AsyncSwarm, Filters
from sqswarm.dispatcher.bulk import (
    COUNTED_LIMIT,
    Act,
    Acted,
    Matched,
)
from sqswarm.dispatcher.connection import Connection, open_connection
from sqswarm.dispatcher.failure_groups import FailureGroups
from sqswarm.dispatcher.lifecycle.dead_letter_groups import DeadLetterGroups
from sqswarm.dispatcher.lifecycle.dead_letters import DeadLetters
from sqswarm.dispatcher.lifecycle.redrive_letters import Redriven
from sqswarm.dispatcher.listing import TaskPage
from sqswarm.dispatcher.map_run import MapRuns
from sqswarm.dispatcher.starting import Starting
from sqswarm.dispatcher.task import Task
from sqswarm.dispatcher.timeline import DEPTH, LIMIT
from sqswarm.dispatcher.tracing import start_tracing
from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.naming import NamedAgent
from sqswarm.schemas.paused import Paused
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.stats import Stats
from sqswarm.schemas.task_filter import Moment
from sqswarm.schemas.timeline import Timeline

Tasks = list[Task[Any]]
Entries = list[CatalogueEntry]


class Swarm(Starting, MapRuns):
    """A connection to one stage's swarm. Use it as a context manager, or call `close`."""

    def __init__(self, connection: Connection, runner: BlockingRunner) -> None:
        """Swarms are made by `connect`."""
        self._swarm: AsyncSwarm = AsyncSwarm(connection)
        self._runner = runner

    @classmethod
    def connect(cls, settings: Settings | None = None, *, operator: bool = False) -> Self:
        """Connect to the stage and endpoint that the environment (or `settings`) names.

        An `operator` sees the tasks of every principal. Raises Unreachable where nothing
        answers, NotDeployed where the stage has no swarm.
        """
        settings = settings or settings_from_environment()
        start_tracing(os.environ)
        runner = BlockingRunner()
        caller = BlockingCaller(client_factory(settings))
        connection = run_straight(open_connection(settings, caller, runner, operator=operator))
        return cls(connection, runner)

    def close(self) -> None:
        """End the connection's threads."""
        self._runner.close()

    def __enter__(self) -> Self:
        """Return the swarm itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    @property
    def principal(self) -> str:
        """Return who this connection's tasks belong to."""
        return self._swarm.principal

    def publish(
        self,
        topic: str,
        payload: Any,
        *,
        type: str | None = None,  # noqa: A002 - the contract's word
    ) -> Tasks:
        """Publish an event and return the task that each subscribed agent gets of it.

        Raises UnknownTopic, InvalidArguments, PayloadTooLarge, PublishFailed.
        """
        return self.publish_many(topic, [payload], type=type)[0]

    def publish_many(
        self,
        topic: str,
        payloads: Sequence[Any],
        *,
        type: str | None = None,  # noqa: A002
    ) -> Sequence[Tasks]:
        """Publish several events, ten a request; for each, return its agents' tasks."""
        events = run_straight(self._swarm.publish_many(topic, payloads, type=type))
        return [[self._handle(task) for task in tasks] for tasks in events]

    def get(self, task_id: str) -> TaskView:
        """Return a task as it stands; raises TaskNotFound where this principal has none."""
        return run_straight(self._swarm.get(task_id))

    def timeline(self, task_id: str, *, depth: int = DEPTH, limit: int = LIMIT) -> Timeline:
        """Return a task's attempts, steps, children, questions and sleeps, with their times.

        Children are shown from within `depth` levels deep (1: this task alone), at most `limit`
        of each task, and so are steps: what is left out is counted. Raises TaskNotFound as `get`
        does.
        """
        return run_straight(self._swarm.timeline(task_id, depth=depth, limit=limit))

    def task(self, task_id: str) -> Task[Any]:
        """Return a handle of a task submitted earlier; raises TaskNotFound as `get` does."""
        return self._handle(run_straight(self._swarm.task(task_id)))

    def cancel(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Cancel a task and return the status it ended with.

        One that no worker has begun may have no record yet, and is found by its `agent` only; a
        handle's `cancel` knows that. Raises TaskNotFound where there is no such task.
        """
        return run_straight(self._swarm.cancel(task_id, agent=agent))

    def answer(self, task_id: str, key: str, value: Any) -> Status:
        """Answer the open question `key` of a task and return the task's status after it.

        A task whose questions are all answered is resumed; a late answer is ignored. Raises
        InvalidArguments with the schema's reason, or where nothing is asked under that key.
        """
        return run_straight(self._swarm.answer(task_id, key, value))

    def send(
        self, task_id: str, topic: str, value: Any, *, idempotency_key: str | None = None
    ) -> Status:
        """Send a value into a task, and return the task's status after it.

        The agent's `ctx.receive(topic)` returns it: the values of a topic in the order in which
        they were sent, each once. One that is sent before the agent asks for it is kept. Sent again
        with the same `idempotency_key`, it arrives once. Raises TaskNotFound, TaskEnded,
        InvalidArguments for what is no JSON, too large, or not what the task waits for,
        PayloadTooLarge where the task holds no more, and IdempotencyConflict for another value
        under the same key.
        """
        return run_straight(
            self._swarm.send(task_id, topic, value, idempotency_key=idempotency_key)
        )

    def state(self, task_id: str) -> Any:
        """Return what the agent of a task exposed last, None where that is nothing.

        It is there while the task runs or waits, and after its end. Raises TaskNotFound.
        """
        return run_straight(self._swarm.state(task_id))

    def decline(self, task_id: str, key: str) -> Status:
        """Decline to answer the open question `key`: its agent gets AskDeclined.

        Returns the task's status after it, and raises as `answer` does.
        """
        return run_straight(self._swarm.decline(task_id, key))

    def inbox(
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
        """Return the tasks that wait for people, the newest first; `to_json` shows the questions.

        See `list`.
        """
        return run_straight(
            self._swarm.inbox(
                agent=agent,
                since=since,
                until=until,
                principal=principal,
                where=where,
                limit=limit,
                cursor=cursor,
            )
        )

    def pause_task(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Let no worker begin a run of a task until it is resumed; return its status.

        A run that is under way ends as it would: a durable task stops where it waits next. Its
        time-outs go on, what is sent to it is kept, and deployments leave it paused. An undo is
        not held back. Raises TaskNotFound, also for a task that has no record yet, and UsageError
        for one that has ended.
        """
        return run_straight(self._swarm.pause_task(task_id, agent=agent))

    def resume_task(self, task_id: str, *, agent: str | NamedAgent | None = None) -> Status:
        """Let a parked or paused task go on and return its status; `deploy` resumes parked ones.

        It is parked again, with no attempt used, where its code still does not fit its journal.
        Raises TaskNotFound, UnknownAgent where its agent is not deployed, and UsageError for a
        task that is neither.
        """
        return run_straight(self._swarm.resume_task(task_id, agent=agent))

    def redrive(
        self,
        task_id: str,
        *,
        from_step: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> Task[Any]:
        """Run an ended task again, as a new task linked to the old; a repeat returns the same.

        `from_step` keeps what it had recorded before that step (or child, question, sleep, turn:
        `"write"`, `"write#2"`, `"turn 40"`), so that nothing is paid or done twice; `"end"` keeps
        all that went well before it ended. Children that completed are reused. `arguments` replace
        those of the same names; what was recorded before keeps its old outcomes. A parked task is
        cancelled first. Raises InvalidArguments, and UsageError for a task that has not ended, has
        no such step, or was redriven otherwise before.
        """
        return self._handle(
            run_straight(self._swarm.redrive(task_id, from_step=from_step, arguments=arguments))
        )

    def redrive_dead_letters(
        self,
        agent: str | NamedAgent,
        *,
        task_ids: Collection[str] | None = None,
        reason: str | None = None,
        since: Moment | None = None,
        limit: int | None = None,
        rate_per_s: float | None = None,
    ) -> Iterator[Redriven]:
        """Redrive an agent's dead letters, ten at a time, and yield what became of each.

        Those of `task_ids`, of a `reason` and given up `since` then, or all; at most `limit`, and
        at most `rate_per_s` in a second. A repeat goes on where one was broken off: no task is
        redriven twice.
        """
        return iterate_straight(
            self._swarm.redrive_dead_letters(
                agent,
                task_ids=task_ids,
                reason=reason,
                since=since,
                limit=limit,
                rate_per_s=rate_per_s,
            )
        )

    def dead_letters(
        self,
        agent: str | NamedAgent,
        *,
        limit: int = 10,
        offset: int = 0,
        reason: str | None = None,
        since: Moment | None = None,
    ) -> DeadLetters:
        """Return some of an agent's dead letters, with what, why, how often and since when.

        `total` of what is returned says how many there are, by SQS's own count. `offset` passes
        over the first ones; a queue keeps no lasting order. They stay where they are.
        """
        return run_straight(
            self._swarm.dead_letters(agent, limit=limit, offset=offset, reason=reason, since=since)
        )

    def dead_letter_groups(self, agent: str | NamedAgent | None = None) -> DeadLetterGroups:
        """Return the dead letters of an agent, or of all, by reason: counts and examples.

        It receives them, ten a request and at most 10,000 a queue, and lets them go again; `total`
        and `looked_at` say how many there are, and how many were looked at.
        """
        return run_straight(self._swarm.dead_letter_groups(agent))

    def failure_groups(
        self, *, limit: int = COUNTED_LIMIT, **wanted: Unpack[Filters]
    ) -> FailureGroups:
        """Return the failed tasks that match by agent and type of error, with an example of each.

        They are read, a hundred at a time, and `limit` at most: `more` says so.
        """
        return run_straight(self._swarm.failure_groups(limit=limit, **wanted))

    def count_matching(
        self, act: Act | str, *, limit: int = COUNTED_LIMIT, **wanted: Unpack[Filters]
    ) -> Matched:
        """Count the tasks that match and that `act`, `redrive` or `cancel`, would be done with.

        They are read, a hundred at a time, and `limit` counted at most: `more` says so. Raises
        UsageError for a status that the act is not for.
        """
        return run_straight(self._swarm.count_matching(act, limit=limit, **wanted))

    def redrive_matching(
        self,
        *,
        limit: int | None = None,
        rate_per_s: float | None = None,
        from_step: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        **wanted: Unpack[Filters],
    ) -> Iterator[Acted]:
        """Run all ended tasks that match again, ten at a time, and yield what became of each.

        Failed ones, unless the filter names another status. Each becomes a new task, once: one
        that was redriven before is passed over, so a repeat goes on where one was broken off.
        `from_step` and `arguments` as with `redrive`; one that has no such step is refused.
        """
        return iterate_straight(
            self._swarm.redrive_matching(
                limit=limit,
                rate_per_s=rate_per_s,
                from_step=from_step,
                arguments=arguments,
                **wanted,
            )
        )

    def cancel_matching(
        self,
        *,
        limit: int | None = None,
        rate_per_s: float | None = None,
        **wanted: Unpack[Filters],
    ) -> Iterator[Acted]:
        """Cancel all tasks that match and have not ended, ten at a time; yield how each ended.

        A task without a record, which no worker has had yet, is not found.
        """
        return iterate_straight(
            self._swarm.cancel_matching(limit=limit, rate_per_s=rate_per_s, **wanted)
        )

    def list(
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
        """Return a page of the newest tasks, at most `limit`: what last began, ended or asked.

        All filters must fit. `since` and `until` are times, or how long ago: a datetime, a
        timedelta, "1h", "2026-11-21T08:00:00Z". `error_type` is a failed task's, `where` the tags
        it was submitted with, `principal` for operators. A page's `cursor` gets the next one from
        the same filters; it may be short where much is filtered, since what it reads is bounded.
        A task without a record (`standard` and `lean` before their first attempt) is in no list.
        Raises UsageError for a filter or a cursor that cannot be.
        """
        return run_straight(
            self._swarm.list(
                status=status,
                agent=agent,
                since=since,
                until=until,
                principal=principal,
                error_type=error_type,
                where=where,
                limit=limit,
                cursor=cursor,
            )
        )

    def stats(self, *, since_s: float = 3600, agent: str | NamedAgent | None = None) -> Stats:
        """Return how agents do: rates, times, backlog, failures by type and cost.

        Of the last `since_s` seconds, of all principals' tasks; all agents, or one. Reads what the
        swarm keeps anyway, and CloudWatch for the age of messages. Raises UnknownAgent.
        """
        return run_straight(self._swarm.stats(since_s=since_s, agent=agent))

    def pause(self, agent: str | NamedAgent | None = None) -> Paused:
        """Let an agent (default: all) begin no task until it is resumed; return who is paused then.

        What runs ends as it would. What is submitted waits in its queue, and no attempt is used:
        for up to 14 days there (SQS, MessageRetentionPeriod), and as long as one likes where tasks
        are `durable`, whose record has them sent again. Deployments leave it paused. Returns once
        the function gets nothing more, on AWS within a minute; containers notice within
        15 seconds. Raises UnknownAgent.
        """
        return run_straight(self._swarm.pause(agent))

    def resume(self, agent: str | NamedAgent | None = None) -> Paused:
        """Let an agent (default: all) go on with what waits; return who is still paused.

        Raises UnknownAgent.
        """
        return run_straight(self._swarm.resume(agent))

    def paused(self) -> Paused:
        """Return which agents are paused, since when and by whom."""
        return run_straight(self._swarm.paused())

    def agents(self) -> Entries:
        """Return the deployed agents in the order of their names."""
        return self._swarm.agents()
