"""Topology: declared agents → everything a stage consists of, as plain values.

The template is rendered from it, and what is really deployed is held against it: one source.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sqswarm.infra.options import ServerOptions, TracingOptions
from sqswarm.infra.resources import (
    Consumer,
    EventSource,
    Fleet,
    Function,
    Queue,
    ServerFunction,
    Subscription,
    Topic,
    Topology,
)
from sqswarm.schemas.agent_spec import AgentSpec, Hosting
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.metrics import OFF, SWITCH
from sqswarm.schemas.naming import TASKS_TOPIC, UNROUTED, Names
from sqswarm.schemas.notice import WEBHOOK_AGENT
from sqswarm.schemas.settings import KEEP_VERSIONS, TELLS

AGENT_HANDLER = "sqswarm.workers.hosts.lambda_handler.handle"
HOUSEKEEPING_HANDLER = "sqswarm.workers.hosts.housekeeping.handle"
SERVER_HANDLER = "sqswarm.dispatcher.server.lambda_handler.handle"

DISPATCHER = "dispatcher"
SERVER_TIMEOUT_S = 30
"""Source: API Gateway answers within 29 seconds or not at all; a call waits 25."""
SERVER_MEMORY_MB = 1024
"""Its cold start is imports, and those are as fast as the processor's share."""


HOUSEKEEPING = "housekeeping"
HOUSEKEEPING_TIMEOUT_S = 60
HOUSEKEEPING_MEMORY_MB = 256
HOUSEKEEPING_RECEIVES = 10

QUEUE_RETENTION_S = 4 * 24 * 3600
DEAD_LETTER_RETENTION_S = 14 * 24 * 3600
"""Source: SQS quotas, message retention 60 s to 14 days; a dead letter keeps its first clock."""

LOG_RETENTION_DAYS = 14

_VARIABLE = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
_FIFO_BATCH_LIMIT = 10
_WINDOWLESS_BATCH_LIMIT = 10
_CONCURRENCY_RANGE = (2, 1000)
"""Source: Lambda, event source mapping of SQS: ScalingConfig.MaximumConcurrency 2 to 1,000;
BatchSize over 10 needs a batching window of 1 s; a FIFO queue takes neither of the two."""


def topology(
    specs: Iterable[AgentSpec],
    *,
    names: Names,
    modules: Sequence[str],
    runtime: str,
    architecture: str,
    fleet: Fleet | None = None,
    server: ServerOptions | None = None,
    metrics: bool = True,
    tracing: TracingOptions | None = None,
    paused: Collection[str] = (),
    keep_versions: bool = False,
    notify: Sequence[str] = (),
    webhooks: Mapping[str, str] = MappingProxyType({}),
) -> Topology:
    """Return the stage that `specs` need; `modules` is what a function imports to find them.

    Functions of the agents that are `paused` are given no messages. With `keep_versions` tasks
    that wait finish on the code that they began with.

    `notify` are whom every agent's tasks may be told to, `webhooks` is what the agent that tells
    webhooks knows of them.

    `tracing` is for every function, where an agent's own or the server's env has no other.

    Raises InvalidAgent where AWS could not run a declaration.
    """
    ordered_specs = sorted(specs, key=lambda spec: spec.name)
    if not ordered_specs:
        message = "there is no agent to deploy"
        raise InvalidAgent(message, hint="Declare one with @agent in a module that is listed.")
    common = {"SQSWARM_STAGE": names.stage, "SQSWARM_ACCOUNT": names.account}
    traced = {} if tracing is None else tracing.env
    ordered_specs = [
        replace(spec, env=MappingProxyType({**traced, **spec.env})) for spec in ordered_specs
    ]
    server = server and replace(server, env={**traced, **server.env})
    if not metrics:
        common[SWITCH] = OFF
    return Topology(
        names=names,
        topics=_topics(ordered_specs, names),
        agents=tuple(
            _agent(
                spec,
                names,
                {
                    **common,
                    **(_kept(spec) if keep_versions else {}),
                    **({TELLS: "1"} if spec.notify else {}),
                    **(webhooks if spec.name == WEBHOOK_AGENT else {}),
                },
                modules,
                paused=spec.name in paused,
            )
            for spec in ordered_specs
        ),
        unrouted=_unrouted(ordered_specs, names, {**traced, **common}),
        runtime=runtime,
        architecture=architecture,
        fleet=fleet or Fleet(),
        server=None if server is None else _server(server, names, common),
        metrics=metrics,
        layer=None if tracing is None else tracing.layer,
        keep_versions=keep_versions,
        notify=tuple(notify),
    )


def _kept(spec: AgentSpec) -> dict[str, str]:
    return {KEEP_VERSIONS: "1"} if spec.runs_on is Hosting.LAMBDA else {}


def _topics(specs: Sequence[AgentSpec], names: Names) -> tuple[Topic, ...]:
    wanted = {(TASKS_TOPIC, False)}
    for spec in specs:
        wanted.add((TASKS_TOPIC, spec.ordered))
        wanted |= {(s.topic, spec.ordered) for s in spec.subscriptions}
    return tuple(
        Topic(name=names.topic(topic, ordered=fifo), fifo=fifo) for topic, fifo in sorted(wanted)
    )


def _server(server: ServerOptions, names: Names, common: Mapping[str, str]) -> ServerFunction:
    return ServerFunction(
        function=Function(
            name=names.function(DISPATCHER),
            handler=SERVER_HANDLER,
            description="The MCP server: agents as tools, calls as tasks",
            timeout_s=SERVER_TIMEOUT_S,
            memory_mb=SERVER_MEMORY_MB,
            env=MappingProxyType({**server.env, **common, "SQSWARM_URL_AUTH": server.auth}),
        ),
        auth=server.auth,
        api=server.api,
        permissions=server.permissions,
    )


def _agent(
    spec: AgentSpec,
    names: Names,
    common: Mapping[str, str],
    modules: Sequence[str],
    *,
    paused: bool,
) -> Consumer:
    _check(spec)
    fifo = spec.ordered
    queue_name = names.queue(spec.name, ordered=fifo)
    dead_letters = names.dead_letter_queue(spec.name, ordered=fifo)
    filters: dict[str, Mapping[str, list[str | JsonObject]] | None] = {
        names.topic(TASKS_TOPIC, ordered=fifo): {"agent": [spec.name]}
    }
    for subscription in spec.subscriptions:
        topic = names.topic(subscription.topic, ordered=fifo)
        filters[topic] = {"type": list(subscription.types)} if subscription.types else None
    queue, letters = _queues(
        queue_name,
        dead_letters,
        fifo=fifo,
        visibility_s=spec.visibility_s,
        max_receive_count=spec.max_receive_count,
        senders=tuple(filters),
    )
    return Consumer(
        key=spec.name,
        spec=spec,
        queue=queue,
        dead_letters=letters,
        subscriptions=tuple(
            Subscription(topic=topic, queue=queue_name, filter=policy, dead_letters=dead_letters)
            for topic, policy in filters.items()
        ),
        function=Function(
            name=names.function(spec.name),
            handler=AGENT_HANDLER,
            description=spec.title,
            timeout_s=spec.function_timeout_s,
            memory_mb=spec.memory_mb,
            env=MappingProxyType(
                {
                    **spec.env,
                    **common,
                    "SQSWARM_AGENT": spec.name,
                    "SQSWARM_AGENTS": ",".join(modules),
                }
            ),
            handed_on=spec.handed_on,
        ),
        source=_event_source(spec, queue_name, paused=paused),
    )


def _event_source(spec: AgentSpec, queue: str, *, paused: bool) -> EventSource:
    low, high = _CONCURRENCY_RANGE
    window_s = spec.batch_window_s
    if spec.batch_size > _WINDOWLESS_BATCH_LIMIT:
        window_s = max(window_s, 1)
    return EventSource(
        queue=queue,
        batch_size=spec.batch_size,
        window_s=0 if spec.ordered else window_s,
        max_concurrency=min(max(spec.concurrency, low), high),
        enabled=not paused,
    )


def _check(spec: AgentSpec) -> None:
    if spec.ordered and spec.batch_size > _FIFO_BATCH_LIMIT:
        message = f"agent {spec.name!r} is ordered and wants batches of {spec.batch_size}"
        raise InvalidAgent(
            message, hint=f"A FIFO queue hands out at most {_FIFO_BATCH_LIMIT}: lower batch_size."
        )
    bad = sorted(name for name in spec.env if not _VARIABLE.fullmatch(name))
    if bad:
        message = f"agent {spec.name!r} names a variable of its env {bad[0]!r}"
        raise InvalidAgent(
            message,
            hint="Lambda wants a letter, then at least one letter, digit or underscore.",
        )
    taken = sorted(name for name in spec.env if name.startswith(("SQSWARM_", "AWS_")))
    if taken:
        message = f"agent {spec.name!r} sets {', '.join(taken)} in its env"
        raise InvalidAgent(message, hint="SQSWARM_* and AWS_* are set by the swarm and Lambda.")


def _unrouted(specs: Sequence[AgentSpec], names: Names, common: Mapping[str, str]) -> Consumer:
    queue_name, dead_letters = names.queue(UNROUTED), names.dead_letter_queue(UNROUTED)
    nobody: list[str | JsonObject] = [
        {"exists": False},
        {"anything-but": [spec.name for spec in specs]},
    ]
    fifo = any(spec.ordered for spec in specs)
    topics = [names.topic(TASKS_TOPIC, ordered=o) for o in ((False, True) if fifo else (False,))]
    queue, letters = _queues(
        queue_name,
        dead_letters,
        fifo=False,
        visibility_s=6 * HOUSEKEEPING_TIMEOUT_S,
        max_receive_count=HOUSEKEEPING_RECEIVES,
        senders=tuple(topics),
    )
    return Consumer(
        key=UNROUTED,
        spec=None,
        queue=queue,
        dead_letters=letters,
        subscriptions=tuple(
            Subscription(
                topic=topic,
                queue=queue_name,
                filter={"agent": nobody},
                # A FIFO topic's dead letters need a FIFO queue, and this one is standard; SNS
                # retries a queue for 23 days anyway (SNS, "Message delivery retries").
                dead_letters=None if topic.endswith(".fifo") else dead_letters,
            )
            for topic in topics
        ),
        function=Function(
            name=names.function(HOUSEKEEPING),
            handler=HOUSEKEEPING_HANDLER,
            description="Repairs what no message will, and puts aside tasks for unknown agents",
            timeout_s=HOUSEKEEPING_TIMEOUT_S,
            memory_mb=HOUSEKEEPING_MEMORY_MB,
            env=MappingProxyType(dict(common)),
        ),
        source=EventSource(queue=queue_name, batch_size=10, window_s=0, max_concurrency=2),
    )


def _queues(
    name: str,
    dead_letters: str,
    *,
    fifo: bool,
    visibility_s: int,
    max_receive_count: int,
    senders: tuple[str, ...],
) -> tuple[Queue, Queue]:
    return (
        Queue(
            name=name,
            fifo=fifo,
            visibility_s=visibility_s,
            retention_s=QUEUE_RETENTION_S,
            senders=senders,
            dead_letters=dead_letters,
            max_receive_count=max_receive_count,
        ),
        Queue(
            name=dead_letters,
            fifo=fifo,
            visibility_s=HOUSEKEEPING_TIMEOUT_S,
            retention_s=DEAD_LETTER_RETENTION_S,
            senders=senders,
            dead_letters_of=name,
        ),
    )
