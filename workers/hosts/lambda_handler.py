"""The Lambda handler of every agent's function.

Which agent it runs is the environment's word: SQSWARM_AGENT, found in the modules SQSWARM_AGENTS.
What can be prepared is prepared while Lambda initialises the environment, once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from sqswarm.backends.aws.bus import delivery_of
from sqswarm.backends.aws.caller import ThreadedCaller
from sqswarm.backends.aws.connect import client_factory
from sqswarm.backends.log import Log, configure_logging
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.connection import connect
from sqswarm.schemas.errors import UnknownAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import Settings
from sqswarm.workers.registry import load_agents
from sqswarm.workers.runtime.batch import BatchResult, Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext


class Worker:
    """One warm environment: its runtime, and the event loop it keeps between invocations."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Read the environment and import the agent's module.

        Raises InvalidAgent or UnknownAgent, which Lambda reports as an init error.
        """
        configure_logging(environment)
        settings = Settings.from_env(environment)
        name = environment["SQSWARM_AGENT"]
        agents = load_agents(environment["SQSWARM_AGENTS"].split(","))
        if name not in agents:
            message = f"no agent {name!r} in {environment['SQSWARM_AGENTS']}"
            raise UnknownAgent(message)
        agent = agents[name]
        caller = ThreadedCaller(client_factory(settings))
        self._loop = asyncio.new_event_loop()
        self._worker = WorkerContext(
            agent=agent,
            spec=agent.spec,
            connection=connect(settings, caller, AsyncRunner(), principal=name, operator=True),
            log=Log.of_agent(name),
        )
        self._runtime = Runtime(self._worker)

    def handle(self, event: JsonObject, remaining_s: float) -> JsonObject:
        """Carry an SQS batch through and return which of its messages must come again.

        Source: Lambda with SQS, "Reporting batch item failures".
        """
        deliveries = [delivery_of(record) for record in event["Records"]]
        # The last second is for settling: an attempt that is cut here can still be recorded.
        work = self._runtime.handle(deliveries, budget_s=remaining_s - 1.0)
        result = self._loop.run_until_complete(work)
        if result.hung:
            self._abandon(result)
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in result.keep]}

    def _abandon(self, result: BatchResult) -> None:
        """End this process: a plain function ran past its time-out, and no thread can be stopped.

        What is settled is deleted first, so that only the hung tasks are delivered again.
        """
        deleting = self._worker.bus.delete(self._worker.queue, result.delete)
        self._loop.run_until_complete(deleting)
        self._worker.log.error("process.abandoned", why="an agent ran past its time-out")
        sys.stdout.flush()
        os._exit(1)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # only where this is the entry point
    _worker = Worker(dict(os.environ))

    def handle(event: JsonObject, context: Any) -> JsonObject:
        """Handle one Lambda invocation."""
        return _worker.handle(event, context.get_remaining_time_in_millis() / 1000)
