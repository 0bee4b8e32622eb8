"""Stats: how agents do, in numbers: what `swarm.stats()` returns and `sqswarm stats` shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.paused import Pause
from sqswarm.schemas.pricing import MICRO, Tokens


@dataclass(frozen=True, kw_only=True)
class Quantiles:
    """Half of some times are at most `p50_ms`, 19 of 20 at most `p95_ms` (milliseconds)."""

    p50_ms: int
    p95_ms: int

    @classmethod
    def of(cls, values: Iterable[int]) -> Quantiles | None:
        """Return the quantiles of `values` (nearest rank), None where there are none."""
        ranked = sorted(values)
        if not ranked:
            return None
        p50, p95 = (ranked[-(-len(ranked) * percent // 100) - 1] for percent in (50, 95))
        return cls(p50_ms=p50, p95_ms=p95)

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {"p50Ms": self.p50_ms, "p95Ms": self.p95_ms}


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What lies in the queues of an agent now, or of all. The counts are SQS's: approximate.

    `oldest_s` is the age of the oldest message in seconds, None where there is none, or nobody
    knows (CloudWatch, about a minute behind; an emulator may have no value).
    """

    waiting: int = 0
    in_flight: int = 0
    delayed: int = 0
    dead_letters: int = 0
    oldest_s: int | None = None

    @classmethod
    def sum(cls, some: Sequence[Backlog]) -> Backlog:
        """Return what lies in several."""
        return cls(
            waiting=sum(one.waiting for one in some),
            in_flight=sum(one.in_flight for one in some),
            delayed=sum(one.delayed for one in some),
            dead_letters=sum(one.dead_letters for one in some),
            oldest_s=max((one.oldest_s for one in some if one.oldest_s is not None), default=None),
        )

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "waiting": self.waiting,
            "inFlight": self.in_flight,
            "delayed": self.delayed,
            "oldestSeconds": self.oldest_s,
            "deadLetters": self.dead_letters,
        }


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What models cost, as the ledger has it."""

    calls: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    micro_usd: int = 0

    @classmethod
    def sum(cls, some: Iterable[Spent]) -> Spent:
        """Return the sum."""
        calls, tokens, micro_usd = 0, Tokens(), 0
        for one in some:
            calls, tokens = calls + one.calls, tokens + one.tokens
            micro_usd += one.micro_usd
        return cls(calls=calls, tokens=tokens, micro_usd=micro_usd)

    def to_json(self) -> JsonObject:
        """Return it as JSON; money in dollars."""
        return {
            "calls": self.calls,
            "inputTokens": self.tokens.prompt,
            "outputTokens": self.tokens.output,
            "usd": self.micro_usd / MICRO,
        }


@dataclass(frozen=True, kw_only=True)
class AgentStats:
    """One agent's numbers of the last `seconds`, or the stage's.

    `seconds` is less than was asked for where more happened than one reading takes. `started`
    counts attempts, `completed` and `failed` tasks; `wait` is from a message's sending to a first
    attempt, `run` the attempt that ended a task. `failures` are by error type.
    """

    agent: str
    seconds: float
    started: int = 0
    completed: int = 0
    failed: int = 0
    retried: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    wait: Quantiles | None = None
    run: Quantiles | None = None
    backlog: Backlog = field(default_factory=Backlog)
    spent: Spent = field(default_factory=Spent)
    paused: Pause | None = None

    @property
    def per_s(self) -> float:
        """Return how many tasks ended in a second, on average."""
        return (self.completed + self.failed) / self.seconds if self.seconds else 0.0

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "agent": self.agent,
            "seconds": round(self.seconds, 1),
            "started": self.started,
            "completed": self.completed,
            "failed": self.failed,
            "retried": self.retried,
            "perSecond": round(self.per_s, 3),
            "failures": dict(self.failures),
            "wait": self.wait and self.wait.to_json(),
            "run": self.run and self.run.to_json(),
            "backlog": self.backlog.to_json(),
            "spent": self.spent.to_json(),
            "paused": self.paused and self.paused.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Stats:
    """A stage's numbers at `at_ms` (Unix milliseconds): each agent's, and all together."""

    stage: str
    at_ms: int
    since_s: float
    agents: tuple[AgentStats, ...]
    total: AgentStats

    def agent(self, name: str) -> AgentStats:
        """Return one agent's numbers; raises KeyError where it was not asked about."""
        return next((one for one in self.agents if one.agent == name), None) or _unknown(name)

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "stage": self.stage,
            "atMs": self.at_ms,
            "sinceSeconds": self.since_s,
            "agents": [one.to_json() for one in self.agents],
            "total": self.total.to_json(),
        }


def _unknown(name: str) -> AgentStats:
    raise KeyError(name)
