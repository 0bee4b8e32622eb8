"""Ledger: what was spent on models, and the limits that are checked before more is.

An entry is written for each paid call and never changed: who reads them sums them. A limit has a
account beside them, one item with two sums: `spent`, and `committed` = spent + what calls on their
way may cost at worst. A call starts only where its worst case still fits into `committed`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.pricing import Price, Tokens
from sqswarm.schemas.writes import Item, Key

MICRO = 1_000_000
"""Micro-dollars of a dollar."""

TURNS_LIMIT = 200

_OVERHEAD_TOKENS = 600
"""What the API itself adds to a prompt with tools. Source: Anthropic, "Tool use: pricing"."""

_BYTES_A_TOKEN = 2
"""No text of ours has more tokens than one for two bytes; usual are three to four bytes."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What an agent may spend: each limit that is given holds, None is no limit.

    `usd`, `tokens` (given and made) and `turns` (calls of the model) are of one task;
    `agent_usd_per_day` of all tasks of the agent in a day (UTC), `principal_usd_per_day` of one
    principal with whatever agents.
    """

    usd: float | None = None
    tokens: int | None = None
    turns: int = 20
    agent_usd_per_day: float | None = None
    principal_usd_per_day: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits below nothing."""
        limits = (self.usd, self.tokens, self.agent_usd_per_day, self.principal_usd_per_day)
        if any(limit is not None and limit < 0 for limit in limits):
            message = f"a budget is not negative: {self}"
            raise InvalidAgent(message)
        if not 1 <= self.turns <= TURNS_LIMIT:
            message = f"a budget of {self.turns} turns; 1 to {TURNS_LIMIT} are possible"
            raise InvalidAgent(message)

    @property
    def in_money(self) -> bool:
        """Tell whether a price is needed to keep it."""
        limits = (self.usd, self.agent_usd_per_day, self.principal_usd_per_day)
        return any(limit is not None for limit in limits)

    def accounts(
        self, *, task_id: str, agent: str, principal: str, day: str
    ) -> tuple[BudgetAccount, ...]:
        """Return the limits of a call on `day` (ISO, UTC)."""
        found: list[BudgetAccount] = []
        if self.usd is not None or self.tokens is not None:
            found.append(
                BudgetAccount(
                    key=Key(pk=f"task#{task_id}", sk="spend"),
                    name="task",
                    micro_usd=_micro(self.usd),
                    tokens=self.tokens,
                )
            )
        daily = (
            ("agent", agent, self.agent_usd_per_day),
            ("principal", principal, self.principal_usd_per_day),
        )
        found += [
            BudgetAccount(
                key=Key(pk=f"spend#{what}#{who}", sk=day),
                name=f"{what} and day",
                micro_usd=_micro(limit),
            )
            for what, who, limit in daily
            if limit is not None
        ]
        return tuple(found)


def _micro(usd: float | None) -> int | None:
    return None if usd is None else round(MICRO * usd)


@dataclass(frozen=True, kw_only=True)
class BudgetAccount:
    """One limit and the item that keeps its sums."""

    key: Key
    name: str
    micro_usd: int | None = None
    tokens: int | None = None

    def says_no(self, ceiling: CostCeiling, item: Item | None) -> str | None:
        """Return why `ceiling` no longer fits beside what is really spent; None where it does.

        What is only committed may come back: then waiting helps.
        """
        spent = (item or {}).get("spent", 0)
        tokens = (item or {}).get("spent_tokens", 0)
        if self.micro_usd is not None and spent + ceiling.micro_usd > self.micro_usd:
            return (
                f"${spent / MICRO:.4f} of ${self.micro_usd / MICRO:.4f} per {self.name} is spent, "
                f"and the next call may cost ${ceiling.micro_usd / MICRO:.4f}"
            )
        if self.tokens is not None and tokens + ceiling.tokens > self.tokens:
            return (
                f"{tokens:,} of {self.tokens:,} tokens per {self.name} are used, "
                f"and the next call may take {ceiling.tokens:,}"
            )
        return None


@dataclass(frozen=True, kw_only=True)
class CostCeiling:
    """The most that a call can cost."""

    micro_usd: int
    tokens: int


def worst_case(
    *, known: Tokens | None, new_bytes: int, max_tokens: int, price: Price | None
) -> CostCeiling:
    """Return the most that a call can cost.

    `known` is the usage of the conversation's call before (exact), `new_bytes` the size of what
    the prompt holds beyond that.
    """
    before = known.total if known is not None else _OVERHEAD_TOKENS
    prompt = before + -(-new_bytes // _BYTES_A_TOKEN)
    if price is None:
        return CostCeiling(micro_usd=0, tokens=prompt + max_tokens)
    if price.long is not None and prompt > price.long_over:
        price = price.long
    nano = prompt * price.dearest_input + max_tokens * price.output
    return CostCeiling(micro_usd=-(-nano // 1000), tokens=prompt + max_tokens)


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One paid call. `call` tells it from every other call of the task."""

    day: str
    agent: str
    model: str
    principal: str
    task_id: str
    call: str
    tokens: Tokens
    micro_usd: int

    @property
    def key(self) -> Key:
        """Return its primary key: a day's entries lie together."""
        return Key(pk=entries_of(self.day), sk=f"{self.agent}#{self.task_id}#{self.call}")

    @classmethod
    def from_item(cls, item: Item) -> LedgerEntry:
        """Return the entry that an item holds."""
        agent, task_id, call = item["sk"].split("#", 2)
        return cls(
            day=item["pk"].removeprefix("ledger#"),
            agent=agent,
            model=item["model"],
            principal=item["principal"],
            task_id=task_id,
            call=call,
            tokens=Tokens(
                input=item["input"],
                cache_write=item["cache_write"],
                cache_read=item["cache_read"],
                output=item["output"],
            ),
            micro_usd=item["micro_usd"],
        )


def entries_of(day: str) -> str:
    """Return the partition of a day's entries."""
    return f"ledger#{day}"


def day_of(ms: int) -> str:
    """Return the day (ISO, UTC) of a Unix time in milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).date().isoformat()


@dataclass(frozen=True, kw_only=True)
class Total:
    """What the calls of one group came to."""

    group: tuple[str, ...]
    calls: int
    tokens: Tokens
    micro_usd: int

    def to_json(self, by: Iterable[str]) -> JsonObject:
        """Return it with its group's parts under their names; money in dollars."""
        return {
            **dict(zip(by, self.group, strict=True)),
            "calls": self.calls,
            "inputTokens": self.tokens.input,
            "cacheWriteTokens": self.tokens.cache_write,
            "cacheReadTokens": self.tokens.cache_read,
            "outputTokens": self.tokens.output,
            "usd": self.micro_usd / MICRO,
        }


GROUPS = ("day", "agent", "model", "principal", "task_id")


def totals(entries: Iterable[LedgerEntry], by: tuple[str, ...]) -> list[Total]:
    """Return the sums of `entries` by fields of theirs (of GROUPS), in the groups' order."""
    found: dict[tuple[str, ...], Total] = {}
    for entry in entries:
        group = tuple(str(getattr(entry, name)) for name in by)
        before = found.get(group) or Total(group=group, calls=0, tokens=Tokens(), micro_usd=0)
        found[group] = Total(
            group=group,
            calls=before.calls + 1,
            tokens=before.tokens + entry.tokens,
            micro_usd=before.micro_usd + entry.micro_usd,
        )
    return [found[group] for group in sorted(found)]
