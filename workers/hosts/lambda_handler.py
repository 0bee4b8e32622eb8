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
from sqswarm.dispatcher.tracing import start_tracing
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import UnknownAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import START_CHECK, TELLS, Settings
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.hosts.kept_versions import HANDED_OVER, KeptVersions
from sqswarm.workers.metrics import add_metrics
from sqswarm.workers.registry import load_agents
from sqswarm.workers.runtime.batch import BatchResult, Runtime
from sqswarm.workers.runtime.execute import NotLoaded
from sqswarm.workers.runtime.worker_context import WorkerContext


class Worker:
    """One warm environment: its runtime, and the event loop it keeps between invocations."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Read the environment and import the agent's module.

        What keeps the agent from loading is kept: left to Lambda, it would show in a log only,
        and the tasks would go round until their receives are used up.
        """
        start_tracing(environment, log=configure_logging(environment))
        self._environment = environment
        settings = Settings.from_env(environment)
        self._name = environment["SQSWARM_AGENT"]
        self._modules = environment["SQSWARM_AGENTS"].split(",")
        caller = ThreadedCaller(client_factory(settings))
        self._connection = connect(
            settings, caller, AsyncRunner(), principal=self._name, operator=True, worker=True
        )
        self._loop = asyncio.new_event_loop()
        self._log = Log.of_agent(self._name)
        self._versions = KeptVersions.from_env(environment, caller, self._log)
        self._not_loaded: NotLoaded | None = None
        self._load()

    def _load(self) -> None:
        """Make the runtime of the agent, or keep why there is none."""
        try:
            agent = _agent(self._name, self._modules)
            self._worker = self._context(agent, agent.spec)
            self._runtime = Runtime(self._worker)
        except (Exception, SystemExit) as error:
            self._not_loaded = NotLoaded(error)
            self._log.error("agent.not-loaded", error=self._not_loaded.reason)
        else:
            self._not_loaded = None

    def _stand_in(self, not_loaded: NotLoaded) -> None:
        """Make a runtime that gives every task the reason; the catalogue says what is promised.

        Raises NotDeployed or UnknownAgent where it says nothing, as before the first deployment.
        """
        self._loop.run_until_complete(self._connection.with_catalogue(fresh=True))
        self._worker = self._context(None, self._connection.catalogue.agent(self._name).spec())
        self._runtime = Runtime(self._worker, executor=not_loaded)

    def _context(self, agent: AnyAgent | None, spec: AgentSpec) -> WorkerContext:
        return WorkerContext(
            agent=agent,
            spec=spec,
            connection=self._connection,
            log=self._log,
            name=_worker_name(self._environment),
            versions=self._versions,
            tells=TELLS in self._environment,
        )

    def handle(self, event: JsonObject, remaining_s: float, request_id: str = "") -> JsonObject:
        """Carry an SQS batch through and return which of its messages must come again.

        Source: Lambda with SQS, "Reporting batch item failures". START_CHECK is answered with
        whether the agent has loaded, and if not, why. What another version of the function has
        handed over (kept_versions.py) comes from no queue that would delete it: that is done here.
        """
        if self._not_loaded is not None:
            self._load()  # what it lacked may be there by now
        if event == START_CHECK:
            failed = self._not_loaded
            return {"started": failed is None, "error": failed and failed.reason}
        if self._not_loaded is not None:
            self._stand_in(self._not_loaded)
        if self._versions is not None:
            self._versions.begin(event)
        deliveries = [delivery_of(record) for record in event["Records"]]
        # The last second is for settling: an attempt that is cut here can still be recorded.
        work = self._runtime.handle(deliveries, budget_s=remaining_s - 1.0, request_id=request_id)
        result = self._loop.run_until_complete(work)
        if result.hung:
            self._abandon(result)
        if HANDED_OVER in event and result.delete:
            self._delete(result)
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in result.keep]}

    def _abandon(self, result: BatchResult) -> None:
        """End this process: a plain function ran past its time-out, and no thread can be stopped.

        What is settled is deleted first, so that only the hung tasks are delivered again.
        """
        self._delete(result)
        self._worker.log.error("process.abandoned", why="an agent ran past its time-out")
        sys.stdout.flush()
        os._exit(1)

    def _delete(self, result: BatchResult) -> None:
        deleting = self._worker.bus.delete(self._worker.queue, result.delete)
        self._loop.run_until_complete(deleting)


def _worker_name(environment: dict[str, str]) -> str:
    """Return the short form of this environment's log stream: its id's first 8 digits.

    Source: Lambda, "Defined runtime environment variables": `2026/11/30/[$LATEST]0f3a…`.
    """
    return environment.get("AWS_LAMBDA_LOG_STREAM_NAME", "").rpartition("]")[2][:8]


def _agent(name: str, modules: list[str]) -> AnyAgent:
    agents = load_agents(modules)
    if name not in agents:
        message = f"no agent {name!r} in {', '.join(modules)}"
        raise UnknownAgent(message)
    return agents[name]


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # only where this is the entry point
    add_metrics(Settings.from_env(os.environ).stage, os.environ)
    _worker = Worker(dict(os.environ))

    def handle(event: JsonObject, context: Any) -> JsonObject:
        """Handle one Lambda invocation."""
        remaining_s = context.get_remaining_time_in_millis() / 1000
        return _worker.handle(event, remaining_s, context.aws_request_id)
