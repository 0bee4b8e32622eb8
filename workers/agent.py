"""Agent: a named, typed unit of work, declared by decorating its function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cached_property, update_wrapper
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from sqswarm.schemas.agent_spec import (
    CONTAINER_TIMEOUT_LIMIT_S,
    LAMBDA_TIMEOUT_LIMIT_S,
    SETTLE_MARGIN_S,
    AgentSpec,
    Durability,
    Hosting,
    Keeps,
    Limit,
    Schedule,
    Subscription,
)
from sqswarm.schemas.as_tool import AsTool
from sqswarm.schemas.errors import InvalidAgent, NotifyRefused
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import NamedAgent, agent_name, check_name
from sqswarm.workers.join import check_join, parse_join
from sqswarm.workers.rate_and_schedule import parse_rate, parse_schedules
from sqswarm.workers.signature import Signature, compile_signature

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

_VERSION = re.compile(r"[!-~]{1,40}")

_LIMITS = {
    "max_attempts": (1, 50),
    "timeout": (1, CONTAINER_TIMEOUT_LIMIT_S),
    "concurrency": (2, 1000),
    "memory": (128, 10_240),
    "batch": (1, 10),
}
"""Source: Lambda quotas (time-out, memory); ScalingConfig.MaximumConcurrency is 2 to 1,000;
an SQS batch over 10 needs a window, and a FIFO queue has no larger one."""

_SLOTS_LIMIT = 100
"""The slots of a key are one item, and each that is taken writes it: 5 KB at the most."""


class Agent(Generic[P, R_co]):
    """A declared agent: still the function it decorates, and the spec of what it needs."""

    def __init__(
        self,
        function: Callable[P, R_co],
        *,
        name: str,
        options: Mapping[str, Any],
    ) -> None:
        """Agents are made by the `agent` decorator."""
        self.function = function
        self.name = name
        self._options = options
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the plain function: no queue, no record."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        """Show what it is and its name."""
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def options(self) -> Mapping[str, Any]:
        """Return what was declared, as AgentSpec's fields."""
        return self._options

    @property
    def is_async(self) -> bool:
        """True where calling the function gives a coroutine."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def code(self) -> tuple[Callable[..., Any] | str | None, ...]:
        """Return what may call agents: functions, agents by name, None for what nobody can read."""
        return (self.function,)

    @cached_property
    def signature(self) -> Signature:
        """Return the compiled signature; raises InvalidAgent where it cannot be expressed."""
        return compile_signature(self.name, self.function)

    def parse_result(self, value: Any) -> Any:
        """Return a result as JSON has it as what the function says that it returns.

        Raises InvalidReturn where it is no such value.
        """
        return self.signature.parse(value)

    @cached_property
    def spec(self) -> AgentSpec:
        """Return the declaration as a value; raises InvalidAgent where it cannot work."""
        signature = self.signature
        self._options["tool"].check(self.name, signature.input_schema)
        publishes = self._options.get("publishes")
        _check_event(self.name, publishes, signature)
        if (join := self._options.get("joins")) is not None:
            check_join(self.name, join, signature.input_schema, ordered=self._options["ordered"])
        keeps = {Keeps.JOURNAL} if signature.takes_context else set()
        return AgentSpec(
            name=self.name,
            title=self.name.replace("_", " ").replace("-", " ").capitalize(),
            description=inspect.getdoc(self.function) or "",
            input_schema=signature.input_schema,
            output_schema=signature.event_schema if publishes else signature.output_schema,
            wrapped=signature.wrapped,
            **{**self._options, "keeps": frozenset({*keeps, *self._options.get("keeps", ())})},
        )


@overload
def agent(function: Callable[P, R], /) -> Agent[P, R]: ...


@overload
def agent(
    *,
    name: str | None = None,
    max_attempts: int = 3,
    timeout: int = 30,
    concurrency: int = 10,
    topics: Sequence[str | Subscription] = (),
    publishes: str | None = None,
    joins: Sequence[str] = (),
    key: str | None = None,
    within: str | None = None,
    rate: str | None = None,
    limit: Limit | None = None,
    singleton: str | None = None,
    schedule: str | Schedule | Sequence[str | Schedule] = (),
    ordered: bool = False,
    durability: str = "standard",
    tool: AsTool | None = None,
    memory: int = 256,
    batch: int = 10,
    permissions: Sequence[JsonObject] = (),
    env: Mapping[str, str] | None = None,
    runs_on: str = "lambda",
    calls: Sequence[str | NamedAgent] | None = None,
    notify: str | Sequence[str] | None = None,
    version: str | None = None,
) -> Callable[[Callable[P, R]], Agent[P, R]]: ...


def agent(
    function: Callable[P, R] | None = None,
    /,
    *,
    name: str | None = None,
    max_attempts: int = 3,
    timeout: int = 30,
    concurrency: int = 10,
    topics: Sequence[str | Subscription] = (),
    publishes: str | None = None,
    joins: Sequence[str] = (),
    key: str | None = None,
    within: str | None = None,
    rate: str | None = None,
    limit: Limit | None = None,
    singleton: str | None = None,
    schedule: str | Schedule | Sequence[str | Schedule] = (),
    ordered: bool = False,
    durability: str = "standard",
    tool: AsTool | None = None,
    memory: int = 256,
    batch: int = 10,
    permissions: Sequence[JsonObject] = (),
    env: Mapping[str, str] | None = None,
    runs_on: str = "lambda",
    calls: Sequence[str | NamedAgent] | None = None,
    notify: str | Sequence[str] | None = None,
    version: str | None = None,
) -> Agent[P, R] | Callable[[Callable[P, R]], Agent[P, R]]:
    """Declare a function as an agent: its signature is the schema, its docstring the description.

    `name` defaults to the function's. `timeout` is seconds of one attempt, `memory` MiB,
    `concurrency` the most workers at a time, `batch` the most tasks one worker runs side by side
    (1 for work that fills a processor). `topics` are names or Subscriptions. `publishes` is a topic
    on which each of its results, an object, is an event for the agents that subscribe to it.
    `joins` are topics whose events of one `key` are one task: each is the argument that its topic
    names, or None where it has not come `within` a time, as "10 minutes".
    `rate` is the most runs started in a time over all workers, as "50/minute". `limit` is the most
    that run at a time over all workers: Limit(5), or Limit(2, per="tenant") of each value of an
    argument or tag. `singleton` names an argument or tag: a submit returns the task of the same
    value that is under way. `schedule` submits
    the agent again and again: "rate(5 minutes)", "cron(0 8 * * ? *)", or Schedules with arguments.
    `tool` is how MCP clients see it (AsTool). `permissions` are
    IAM statements the agent's role gets besides its own; `env` its environment variables: names
    of secrets, never secrets. `runs_on="container"` leaves it to `sqswarm work`, for attempts of
    up to 11 hours; then `concurrency` is the most tasks one container runs side by side. `calls`
    are the agents (or their names) that it may start tasks of: what its role allows. Not given,
    they are found in the function's code when it is deployed. `notify` is who is told of the end of
    each of its tasks: SNS topics, SQS queues, EventBridge buses, webhooks. `version` is what the
    code is called in the history of its tasks, a word of up to 40 characters.

    Raises InvalidAgent for a declaration that cannot work.
    """
    given = {
        "max_attempts": max_attempts,
        "timeout": timeout,
        "concurrency": concurrency,
        "memory": memory,
        "batch": batch,
    }

    def declare(target: Callable[P, R]) -> Agent[P, R]:
        if not callable(target) or inspect.isclass(target):
            message = f"@agent decorates functions, not {target!r}"
            raise InvalidAgent(message)
        named = check_name(name or target.__name__, what="agent")
        if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
            message = f"agent {named!r} is a generator: it yields, and a task has one result"
            raise InvalidAgent(
                message,
                hint="Return a list instead of yielding; show how far it is with ctx.progress().",
            )
        for option, value in given.items():
            low, high = _LIMITS[option]
            if not low <= value <= high:
                message = f"agent {named!r}: {option}={value} is not within {low} to {high}"
                raise InvalidAgent(message)
        options = {
            "max_attempts": max_attempts,
            "timeout_s": timeout,
            "concurrency": concurrency,
            "batch_size": batch,
            "joins": (joined := parse_join(named, joins, key, within)),
            "subscriptions": _subscriptions([*topics, *(joined.topics if joined else ())]),
            "publishes": None if publishes is None else check_name(publishes, what="topic"),
            "rate": None if rate is None else parse_rate(named, rate),
            "singleton": _singleton(named, singleton),
            "limit": _limit(named, limit, durability=durability, ordered=ordered, joins=joins),
            "schedules": parse_schedules(named, schedule),
            "ordered": ordered,
            "durability": _durability(named, durability),
            "tool": tool or AsTool(),
            "memory_mb": memory,
            "permissions": tuple(permissions),
            "env": MappingProxyType(dict(env or {})),
            "runs_on": _hosting(named, runs_on, timeout),
            "calls": _calls(named, calls),
            "notify": _notify(named, notify),
            "version": _version(named, version),
        }
        return Agent(target, name=named, options=options)

    return declare if function is None else declare(function)


def _subscriptions(topics: Sequence[str | Subscription]) -> tuple[Subscription, ...]:
    if isinstance(topics, str):
        message = f"topics={topics!r} is one string; a list of topics is needed"
        raise InvalidAgent(message, hint=f"Write topics=[{topics!r}].")
    subscriptions = tuple(
        Subscription(topic=topic) if isinstance(topic, str) else topic for topic in topics
    )
    for subscription in subscriptions:
        check_name(subscription.topic, what="topic")
    if len({s.topic for s in subscriptions}) != len(subscriptions):
        message = "an agent subscribes to a topic once"
        raise InvalidAgent(message, hint="Put all types into one Subscription.")
    return subscriptions


def _check_event(name: str, topic: str | None, signature: Signature) -> None:
    """Raise InvalidAgent where its results, which are to be events, are no declared objects."""
    if topic is None or (signature.output_schema is not None and not signature.wrapped):
        return
    why = "is no object" if signature.wrapped else "has no declared type"
    message = f"agent {name!r} publishes to {topic!r}, and what it returns {why}"
    raise InvalidAgent(
        message,
        hint="An event is the arguments of its subscribers: return a TypedDict, dataclass or model "
        "that has their names.",
    )


def _singleton(name: str, singleton: str | None) -> str | None:
    if singleton is not None and not (isinstance(singleton, str) and singleton):
        message = f"agent {name!r}: singleton={singleton!r} is no name of an argument or tag"
        raise InvalidAgent(message, hint='Like singleton="tenant".')
    return singleton


def _limit(
    name: str, limit: Limit | None, *, durability: str, ordered: bool, joins: Sequence[str]
) -> Limit | None:
    if limit is None:
        return None
    fits = isinstance(limit, Limit) and isinstance(limit.count, int)
    if not fits or not 1 <= limit.count <= _SLOTS_LIMIT:
        message = f"agent {name!r}: limit={limit!r} is no Limit of 1 to {_SLOTS_LIMIT} tasks"
        raise InvalidAgent(message, hint='Like limit=Limit(2, per="tenant"), or limit=Limit(5).')
    if durability == Durability.LEAN:
        message = f"agent {name!r}: a lean task holds no lease, so no slot of a limit either"
        raise InvalidAgent(message, hint='Say durability="standard".')
    if joins and limit.per is not None:
        message = f"agent {name!r}: what it joins is not read before it runs, as limit.per would be"
        raise InvalidAgent(message, hint="Limit all of its tasks, as limit=Limit(5).")
    if ordered:
        message = f"agent {name!r}: an ordered agent runs one task of an ordering key at a time"
        raise InvalidAgent(message, hint="Leave out `ordered`, or say `concurrency` for all.")
    return limit


def _calls(name: str, calls: Sequence[str | NamedAgent] | None) -> tuple[str, ...] | None:
    if isinstance(calls, str):
        message = f"agent {name!r}: calls={calls!r} is one string; a list of agents is needed"
        raise InvalidAgent(message, hint=f"Write calls=[{calls!r}].")
    return None if calls is None else tuple(sorted({agent_name(one) for one in calls}))


def _notify(name: str, notify: str | Sequence[str] | None) -> tuple[str, ...]:
    if notify is None:
        return ()
    from sqswarm.schemas.notice import targets_of

    try:
        return targets_of(notify)
    except NotifyRefused as error:
        message = f"agent {name!r}: {error}"
        raise InvalidAgent(message, hint=error.hint) from error


def _version(name: str, version: str | None) -> str | None:
    if version is not None and not _VERSION.fullmatch(version):
        message = f"agent {name!r}: version={version[:60]!r} is no short word"
        raise InvalidAgent(message, hint='Like version="2026-11": 1 to 40 visible characters.')
    return version


def _hosting(name: str, runs_on: str, timeout: int) -> Hosting:
    choices = ", ".join(h.value for h in Hosting)
    try:
        hosting = Hosting(runs_on)
    except ValueError as error:
        message = f"agent {name!r}: runs_on={runs_on!r} is none of {choices}"
        raise InvalidAgent(message) from error
    limit = LAMBDA_TIMEOUT_LIMIT_S - SETTLE_MARGIN_S
    if hosting is Hosting.LAMBDA and timeout > limit:
        message = f"agent {name!r}: timeout={timeout} is more than Lambda's {limit} s"
        raise InvalidAgent(
            message, hint='Say runs_on="container" and run it with `sqswarm work`, or split it.'
        )
    return hosting


def _durability(name: str, durability: str) -> Durability:
    try:
        return Durability(durability)
    except ValueError as error:
        choices = ", ".join(d.value for d in Durability)
        message = f"agent {name!r}: durability={durability!r} is none of {choices}"
        raise InvalidAgent(message) from error


AnyAgent = Agent[..., Any] | Agent[..., Awaitable[Any]]
"""An agent of whatever signature."""
