"""What an agent promises and needs: read by workers, infra and (as the catalogue) dispatchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType

from sqswarm.schemas.as_tool import AsTool
from sqswarm.schemas.join import Join
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.value import dataclass

LEASE_MARGIN_S = 5
"""Lease beyond the function's time-out: clock skew and the last write (correctness.md)."""

SETTLE_MARGIN_S = 5
"""Function time-out beyond the agent's own, so that its outcome can still be recorded."""

LAMBDA_TIMEOUT_LIMIT_S = 900
"""Source: Lambda quotas, function time-out 15 minutes."""

WAITED_RECEIVES = 20
"""Receives after which a message that waits for a slot is sent anew: SQS gives none of them up."""

RECEIVES_LIMIT = 1000
"""Source: SQS, "RedrivePolicy", maxReceiveCount."""

CONTAINER_TIMEOUT_LIMIT_S = 11 * 3600
"""Source: SQS quotas: no message stays hidden for more than 12 hours from its receive."""

RENEWED_LEASE_S = 60
"""Lease of a container worker's task: renewed at a third, and over soon after a worker's death."""

RENEWED_VISIBILITY_S = 75
"""Visibility of a container worker's message, renewed likewise; never shorter than the lease."""


class Durability(StrEnum):
    """How much is written before and while a task runs (correctness.md, "Durability modes")."""

    LEAN = "lean"
    STANDARD = "standard"
    DURABLE = "durable"


class Keeps(StrEnum):
    """A kind of item that an agent keeps beside its tasks' records: its role reaches no other."""

    JOURNAL = "journal"
    """Steps and sessions: of agents that take a context."""
    LEDGER = "ledger"
    """What calls of a model cost, and the pauses that its API asks for."""
    AGENT_PURSE = "agent purse"
    PRINCIPAL_PURSE = "principal purse"


class Hosting(StrEnum):
    """What runs an agent's worker."""

    LAMBDA = "lambda"
    CONTAINER = "container"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """An agent's interest in a topic; `types` narrows it to events of these types."""

    topic: str
    types: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most `count` runs started in any `per_s` seconds, over all workers together."""

    count: int
    per_s: int


@dataclass(frozen=True)
class Limit:
    """At most `count` tasks run at a time, over all workers; `per` is what each `count` is for.

    `per` names an argument, or a tag where the agent has no such argument; None: all its tasks.
    """

    count: int
    per: str | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring submission: an EventBridge expression, `rate(...)` or `cron(...)` in UTC."""

    expression: str
    arguments: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AgentSpec:
    """One agent's declaration, without its code.

    Units: `timeout_s` and `batch_window_s` seconds, `memory_mb` MiB. `concurrency` is the most
    workers at a time (tasks at a time in a container), `batch_size` the most tasks a worker takes
    at once. `wrapped` tells that
    the return value is not an object and travels under `result`.
    """

    name: str
    title: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    wrapped: bool
    max_attempts: int = 3
    timeout_s: int = 30
    concurrency: int = 10
    batch_size: int = 10
    batch_window_s: int = 0
    subscriptions: tuple[Subscription, ...] = ()
    publishes: str | None = None
    """The topic on which each of its results is an event; None: it publishes nothing."""
    joins: Join | None = None
    """Topics, among its subscriptions, whose events of one key are one task together."""
    rate: Rate | None = None
    limit: Limit | None = None
    singleton: str | None = None
    """The argument or tag of whose each value one submitted task is under way at a time."""
    schedules: tuple[Schedule, ...] = ()
    ordered: bool = False
    durability: Durability = Durability.STANDARD
    tool: AsTool = field(default_factory=AsTool)
    memory_mb: int = 256
    permissions: tuple[JsonObject, ...] = ()
    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    runs_on: Hosting = Hosting.LAMBDA
    handed_on: tuple[str, ...] = ()
    """Variables of whoever deploys that the function gets too, where they are set: no secrets."""
    calls: tuple[str, ...] | None = None
    """Agents it may start tasks of; None: every agent of the stage."""
    keeps: frozenset[Keeps] = frozenset()
    notify: tuple[str, ...] = ()
    """Who is told of the end of each of its tasks (notice.py)."""
    version: str | None = None
    """What its code is called in the history of its tasks."""
    patches: tuple[str, ...] = ()
    """Patches (`ctx.patched`) that were found in its code."""
    requirements: tuple[str, ...] = ()
    """Packages it needs beside the project's, by their plain names."""

    def hears(self, topic: str | None) -> bool:
        """Tell whether it gets what is published to `topic` without a type, as results are."""
        return any(s.topic == topic and not s.types for s in self.subscriptions)

    @property
    def function_timeout_s(self) -> int:
        """Seconds after which Lambda kills the function: the agent's own and the settling."""
        return min(self.timeout_s + SETTLE_MARGIN_S, LAMBDA_TIMEOUT_LIMIT_S)

    @property
    def lease_s(self) -> int:
        """Seconds of a lease: never shorter than the longest possible run, or else renewed."""
        if self.runs_on is Hosting.CONTAINER:
            return RENEWED_LEASE_S
        return self.function_timeout_s + LEASE_MARGIN_S

    @property
    def visibility_s(self) -> int:
        """Seconds a received message stays hidden.

        Source: Lambda with SQS, "Configuring a queue": six times the function time-out. A
        container worker renews a short one.
        """
        if self.runs_on is Hosting.CONTAINER:
            return RENEWED_VISIBILITY_S
        return 6 * self.function_timeout_s

    @property
    def max_receive_count(self) -> int:
        """Receives before SQS gives a message up.

        More than attempts: a delivery that finds a live lease, or repeats owed effects, is a
        receive and no attempt. A task that waits for its turn under a rate, or for a slot
        under a limit, is received for it; an ordered one is received with every attempt at those
        before it in its batch.
        """
        own = 2 * self.max_attempts + 4 + (40 if self.rate or self.limit else 0)
        return min(RECEIVES_LIMIT, own * (self.batch_size if self.ordered else 1))
