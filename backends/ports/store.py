"""The task store's port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Item, Key, Write, WriteOutcome


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some items of a longer reading; `cursor` continues it, None where it ended."""

    items: tuple[Item, ...]
    cursor: str | None


class Store(Protocol):
    """One table with atomic conditional writes and consistent reads."""

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write and return the item after it, or what stood in its way."""
        ...

    async def write_many(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out each write for itself, in as few requests as the engine allows.

        Outcomes stand in the order of `writes`. A Refused has the item that stands there; an
        Applied has the new one for a write that adds to a number, and may have none otherwise.
        No two writes may name the same key.
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

    async def read_group(self, pk: str, *, after_sk: str = "") -> list[Item]:
        """Return all items under `pk` whose sort key is above `after_sk`, in its order."""
        ...

    async def due(self, shard: str, *, until_ms: int, limit: int) -> list[Key]:
        """Return keys of the sweep index that are due, the oldest first."""
        ...

    async def scan_tasks(self, *, cursor: str | None, limit: int) -> Page:
        """Return task records in no order, `limit` looked at a page: for people, not for work."""
        ...
