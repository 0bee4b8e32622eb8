"""Resources: what a stage consists of, as plain values under their physical names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqswarm.schemas.agent_spec import AgentSpec, Hosting
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import TASKS_TOPIC, Names


@dataclass(frozen=True, kw_only=True)
class Topic:
    """An SNS topic by its physical name."""

    name: str
    fifo: bool


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An SQS queue by its physical name; `dead_letters` names the queue of what it gives up.

    `senders` are the topics (physical names) that may send to it.
    """

    name: str
    fifo: bool
    visibility_s: int
    retention_s: int
    senders: tuple[str, ...]
    dead_letters: str | None = None
    max_receive_count: int | None = None
    dead_letters_of: str | None = None


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """A topic's messages into a queue, raw; `filter` is an SNS filter policy on attributes."""

    topic: str
    queue: str
    filter: Mapping[str, list[str | JsonObject]] | None
    dead_letters: str | None


@dataclass(frozen=True, kw_only=True)
class EventSource:
    """A queue's messages into a function; `window_s` is how long a batch may fill, seconds."""

    queue: str
    batch_size: int
    window_s: int
    max_concurrency: int
    enabled: bool = True


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function. Units: seconds, MiB.

    `handed_on` names variables that it gets from the deploying shell where they are set there.
    """

    name: str
    handler: str
    description: str
    timeout_s: int
    memory_mb: int
    env: Mapping[str, str]
    handed_on: tuple[str, ...] = ()

    @property
    def log_group(self) -> str:
        """Return where Lambda writes what the function prints."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """One consumer with its mail: queue, dead letters, subscriptions, function. `key` names it.

    `spec` is None for the swarm's own consumer of unrouted tasks. Of an agent that runs in
    containers, `function` lends name, environment and size to the service, and `source` is unused.
    """

    key: str
    spec: AgentSpec | None
    queue: Queue
    dead_letters: Queue
    subscriptions: tuple[Subscription, ...]
    function: Function
    source: EventSource


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """How agents that run in containers are hosted on AWS; without an image they are not.

    `image`'s entry point is `sqswarm work`; `max_tasks` is the most containers of one agent.
    """

    image: str = ""
    subnets: tuple[str, ...] = ()
    max_tasks: int = 4


@dataclass(frozen=True, kw_only=True)
class ServerFunction:
    """The dispatcher function and what it is reached by.

    `auth` is Lambda's word for the Function URL (`AWS_IAM` or `NONE`); `api` adds an API Gateway
    REST API; `permissions` are IAM statements that its access needs.
    """

    function: Function
    auth: str
    api: bool
    permissions: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Topology:
    """A stage. `runtime` and `architecture` are Lambda's words (`python3.12`, `arm64`)."""

    names: Names
    topics: tuple[Topic, ...]
    agents: tuple[Consumer, ...]
    unrouted: Consumer
    runtime: str
    architecture: str
    fleet: Fleet = field(default_factory=Fleet)
    server: ServerFunction | None = None
    metrics: bool = True
    """Whether workers count what they do; the dashboard and an alarm are made of it then."""
    layer: str | None = None
    """A Lambda layer of every function: the collector of its traces."""

    keep_versions: bool = False
    """Whether each deployment publishes the agents' functions anew, and old tasks keep theirs."""

    notify: tuple[str, ...] = ()
    """Who may be named to be told of the end of any task."""

    @property
    def versioned(self) -> tuple[Consumer, ...]:
        """Return the agents whose functions are published and reached by their alias."""
        if not self.keep_versions:
            return ()
        return tuple(consumer for consumer in self.on_lambda if consumer.spec is not None)

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Return every consumer: the agents in the order of their names, then `unrouted`."""
        return (*self.agents, self.unrouted)

    @property
    def on_lambda(self) -> tuple[Consumer, ...]:
        """Return the consumers that are functions."""
        return tuple(c for c in self.consumers if c not in self.in_containers)

    @property
    def in_containers(self) -> tuple[Consumer, ...]:
        """Return the agents that `sqswarm work` runs."""
        return tuple(
            agent for agent in self.agents if agent.spec and agent.spec.runs_on is Hosting.CONTAINER
        )

    @property
    def functions(self) -> tuple[Function, ...]:
        """Return every function."""
        servers = () if self.server is None else (self.server.function,)
        return (*(consumer.function for consumer in self.on_lambda), *servers)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Return every queue, dead-letter queues included."""
        return tuple(q for s in self.consumers for q in (s.queue, s.dead_letters))

    def callees(self, caller: Consumer) -> tuple[Consumer, ...]:
        """Return the agents that an agent may start tasks of, in the order of their names."""
        return tuple(agent for agent in self.agents if _may_call(caller, agent))

    def callers(self, callee: Consumer) -> tuple[Consumer, ...]:
        """Return the agents that may start tasks of an agent, in the order of their names."""
        return tuple(agent for agent in self.agents if _may_call(agent, callee))

    def listeners(self, publisher: Consumer) -> tuple[Consumer, ...]:
        """Return the agents that get what an agent publishes, in the order of their names."""
        topic = publisher.spec.publishes if publisher.spec else None
        return tuple(agent for agent in self.agents if agent.spec and agent.spec.hears(topic))

    def result_topics(self, publishers: Iterable[Consumer]) -> tuple[str, ...]:
        """Return the topics that results of these agents are published to, as they are named."""
        wanted = {
            self.names.topic(one.spec.publishes, ordered=listener.spec.ordered)
            for one in publishers
            for listener in self.listeners(one)
            if one.spec and one.spec.publishes and listener.spec
        }
        return tuple(sorted(wanted))

    @property
    def told(self) -> tuple[str, ...]:
        """Return all who are told of the ends of tasks."""
        own = {one for agent in self.agents if agent.spec for one in agent.spec.notify}
        return tuple(sorted({*self.notify, *own}))

    @property
    def task_topics(self) -> tuple[str, ...]:
        """Return the topics that carry addressed tasks."""
        wanted = {self.names.topic(TASKS_TOPIC, ordered=fifo) for fifo in (False, True)}
        return tuple(t.name for t in self.topics if t.name in wanted)

    @property
    def alarm_topic(self) -> str:
        """Return the topic that alarms are sent to: subscribe an address to it."""
        return self.names.topic("alarms")


def _may_call(caller: Consumer, callee: Consumer) -> bool:
    calls = caller.spec.calls if caller.spec else ()
    return calls is None or callee.key in calls
