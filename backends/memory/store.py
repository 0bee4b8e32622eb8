"""The task store's memory twin: the executable specification of the DynamoDB one."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.store import (
    ITEM_LIMIT_BYTES,
    Index,
    Page,
    all_written,
    check_key,
    text_bytes,
)
from sqswarm.backends.runner import attempt
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.writes import (
    Applied,
    Item,
    Key,
    Refused,
    Write,
    WriteOutcome,
    applied,
    holds,
)


class MemoryStore:
    """A table in a dict; each write is atomic because nothing in it waits."""

    def __init__(self) -> None:
        """Start empty."""
        self.items: dict[Key, Item] = {}

    async def write(self, write: Write) -> WriteOutcome:
        """Carry out one write."""
        check_key(write.key)
        before = self.items.get(write.key)
        if not all(holds(condition, before) for condition in write.when):
            return Refused(item=before)
        self.items[write.key] = _storable(applied(write, before))
        return Applied(item=self.items[write.key])

    async def write_many(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out each write; see write_each."""
        return all_written(await self.write_each(writes))

    async def write_each(self, writes: Sequence[Write]) -> list[WriteOutcome | Exception]:
        """Carry out each write for itself."""
        if len({write.key for write in writes}) != len(writes):
            message = "two writes of one batch name the same key"
            raise ValueError(message)
        return [await attempt(self.write(write)) for write in writes]

    async def transact(self, writes: Sequence[Write]) -> list[WriteOutcome]:
        """Carry out all of the writes or none."""
        befores = [self.items.get(write.key) for write in writes]
        refused = [
            not all(holds(condition, before) for condition in write.when)
            for write, before in zip(writes, befores, strict=True)
        ]
        if any(refused):
            return [
                Refused(item=before) if no else Applied()
                for no, before in zip(refused, befores, strict=True)
            ]
        after = {
            write.key: _storable(applied(write, before))
            for write, before in zip(writes, befores, strict=True)
            if write.changes
        }
        for key in after:
            check_key(key)
        self.items.update(after)
        return [Applied() for _ in writes]

    async def read(self, key: Key) -> Item | None:
        """Return one item."""
        return self.items.get(key)

    async def read_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Return the items that exist."""
        return {key: self.items[key] for key in keys if key in self.items}

    async def read_group(
        self, pk: str, *, after_sk: str = "", names: Sequence[str] = (), limit: int | None = None
    ) -> list[Item]:
        """Return the items under one partition key."""
        keys = sorted(k.sk for k in self.items if k.pk == pk and k.sk > after_sk)[:limit]
        items = [self.items[Key(pk=pk, sk=sk)] for sk in keys]
        shown = {"pk", "sk", *names}
        return [{n: i[n] for n in i if n in shown} for i in items] if names else items

    async def due(self, shard: str, *, until_ms: int, limit: int) -> list[Key]:
        """Return what is due."""
        found = [
            (item["due_at"], key.pk, key)
            for key, item in self.items.items()
            if item.get("due_shard") == shard and item["due_at"] <= until_ms
        ]
        return [key for _, _, key in sorted(found, key=lambda f: f[:2])[:limit]]

    async def newest(
        self, index: Index, partition: str, *, until: str | int | None = None, limit: int
    ) -> Page:
        """Return the last items of a partition."""
        hash_key, range_key = index.keys
        found = [
            (item[range_key], key.pk, item)
            for key, item in self.items.items()
            if item.get(hash_key) == partition and (until is None or item[range_key] <= until)
        ]
        found.sort(key=lambda f: f[:2], reverse=True)
        items = tuple(_projected(index, item) for _, _, item in found[:limit])
        return Page(items=items, more=len(found) > limit)


STATUS_PROJECTION = ("pk", "sk", "listed", "listed_at", "principal", "error_type", "tags")
"""What the index `status` has of an item; `sweep` has keys only."""


def _projected(index: Index, item: Item) -> Item:
    if index is Index.TABLE:
        return item
    names = STATUS_PROJECTION if index is Index.STATUS else ("pk", "sk", *index.keys)
    return {name: item[name] for name in names if name in item}


def _storable(item: Item) -> Item:
    """Return the item; raises NotStorable where it is over DynamoDB's limit."""
    size = sum(len(name) + _size(value) for name, value in item.items())
    if size > ITEM_LIMIT_BYTES:
        message = f"an item has up to {ITEM_LIMIT_BYTES:,} bytes, not {size:,}"
        raise NotStorable(message)
    return item


def _size(value: object) -> int:
    """Return about how many bytes a value takes; raises NotStorable for half a character."""
    if isinstance(value, str):
        return text_bytes(value)
    return 8 * (len(value) if isinstance(value, frozenset) else 1)
