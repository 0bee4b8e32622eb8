"""Ledger: what was spent on models.

An entry is written for each paid call and never changed: who reads them sums them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqswarm.schemas.ids import created_ms
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.pricing import MICRO, Tokens
from sqswarm.schemas.writes import Item, Key


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One paid call. `call` tells it from every other call of the task.

    `at_ms` is when it was paid; of entries from before that was written, when the task was made.
    """

    day: str
    agent: str
    model: str
    principal: str
    task_id: str
    call: str
    tokens: Tokens
    micro_usd: int
    at_ms: int

    @property
    def key(self) -> Key:
        """Return its primary key: an agent's entries of a day lie together."""
        return Key(pk=entries_of(self.agent, self.day), sk=f"{self.task_id}#{self.call}")

    @classmethod
    def from_item(cls, item: Item) -> LedgerEntry:
        """Return the entry that an item holds."""
        _, agent, day = item["pk"].split("#")
        task_id, call = item["sk"].split("#")
        return cls(
            day=day,
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
            at_ms=item["at"] if "at" in item else created_ms(task_id),
        )


def entries_of(agent: str, day: str) -> str:
    """Return the partition of an agent's entries of a day."""
    return f"ledger#{agent}#{day}"


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
