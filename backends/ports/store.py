"""The task store's port."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Item, Key, Write, WriteOutcome

ITEM_LIMIT_BYTES = 400 * 1024
PARTITION_KEY_LIMIT_BYTES = 2048
SORT_KEY_LIMIT_BYTES = 1024
"""Source: DynamoDB, "Quotas". A write over one of them raises NotStorable, whoever asks for it."""


class Index(Enum):
    """What can be read in order: a partition of the table, or of one of its sparse indexes."""

    TABLE = "table"
    STATUS = "status"
    """Failed, cancelled and asking tasks by status and agent, and when they became that."""
    SWEEP = "sweep"
    """Tasks that housekeeping looks after, and when they are due; keys only."""

    @property
    def keys(self) -> tuple[str, str]:
        """Return the attributes that name a partition and order it."""
        return _INDEX_KEYS[self]


_INDEX_KEYS = {
    Index.TABLE: ("pk", "sk"),
    Index.STATUS: ("listed", "listed_at"),
    Index.SWEEP: ("due_shard", "due_at"),
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some items of a longer reading; `more` where it may go on."""

    items: tuple[Item, ...]
    more: bool


def check_key(key: Key) -> None:
    """Raise NotStorable for a key that no table takes; not every engine says so."""
    for text, limit in ((key.pk, PARTITION_KEY_LIMIT_BYTES), (key.sk, SORT_KEY_LIMIT_BYTES)):
        if not 0 < (size := text_bytes(text)) <= limit:
            message = f"a key has 1 to {limit:,} bytes, not {size:,}"
            raise NotStorable(message)


def text_bytes(text: str) -> int:
    """Return the length of stored text in bytes; raises NotStorable for half a character."""
    try:
        return size_bytes(text)
    except UnicodeEncodeError as error:
        message = "text with a lone surrogate, half of a character, cannot be stored"
        raise NotStorable(message) from error


def all_written(outcomes: Sequence[WriteOutcome | Exception]) -> list[WriteOutcome]:
    """Return the outcomes of `write_each`; raises the first error among them."""
    written: list[WriteOutcome] = []
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
        written.append(outcome)
    return written


class Store(Protocol):
    """One table with atomic conditional writes and consistent reads."""

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write and return the item after it, or what stood in its way.

        Raises NotStorable for what no table can hold.
        """
        ...

    async def write_many(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out each write for itself, in as few requests as the engine allows.

        Outcomes stand in the order of `writes`. A Refused has the item that stands there; an
        Applied has the new one for a write that adds to a number, and may have none otherwise.
        No two writes may name the same key. Raises the first error, after all were tried.
        """
        ...

    async def write_each(self, writes: Sequence[Write]) -> list[WriteOutcome | Exception]:
        """Do what write_many does, and return each write's error in the place of its outcome.

        One that cannot be stored, or whose answer cannot be read, costs the others nothing.
        """
        ...

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all of the writes or, where one is refused, none; at most 100, one a key.

        Outcomes stand in the order of `writes`. Any Refused among them means that nothing
        happened; then an Applied only says that this write's own conditions held.
        """
        ...

    async def read(self, key: Key) -> Item | None:
        """Return the item as it is now (a consistent read)."""
        ...

    async def read_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Return the items that exist, by key (consistent reads)."""
        ...

    async def read_group(
        self, pk: str, *, after_sk: str = "", names: Sequence[str] = (), limit: int | None = None
    ) -> list[Item]:
        """Return the items under `pk` whose sort key is above `after_sk`, in its order.

        All of them, or the first `limit`; all their attributes, or `names` beside the keys.
        """
        ...

    async def due(self, shard: str, *, until_ms: int, limit: int) -> list[Key]:
        """Return keys of the sweep index that are due, the oldest first."""
        ...

    async def newest(
        self, index: Index, partition: str, *, until: str | int | None = None, limit: int
    ) -> Page:
        """Return the last items of a partition, backwards; those up to `until`, inclusive.

        `limit` is the most that are read, in one request. What an index has may be a moment old.
        """
        ...
