"""Budget: what an agent may spend on models, checked before more is spent.

Each limit has an account, one item with two sums: `spent`, and `committed` = spent + what calls on
their way may cost at worst. A call starts only where its worst case still fits into `committed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.pricing import MICRO, Price, Tokens
from sqswarm.schemas.task import task_key
from sqswarm.schemas.writes import Item, Key

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
                    key=Key(pk=task_key(agent, task_id).pk, sk="spend"),
                    name="task",
                    micro_usd=_micro(self.usd),
                    tokens=self.tokens,
                )
            )
        daily = (
            ("agent", agent, self.agent_usd_per_day),
            # Hashed: a principal may be long, and may consist of anything.
            (
                "principal",
                sha256(principal.encode()).hexdigest(),
                self.principal_usd_per_day,
            ),
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

    def reason_to_refuse(self, ceiling: CostCeiling, item: Item | None) -> str | None:
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
