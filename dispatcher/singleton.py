"""Singleton: while a task of a key is under way, whoever submits another gets that one."""

from __future__ import annotations

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas import protocol
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.protocol.limit import named_value
from sqswarm.schemas.protocol.singleton import hold, singleton_key
from sqswarm.schemas.tags import Tags
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Applied, Item


def singleton_of(
    entry: CatalogueEntry, given: str | None, arguments: JsonObject, tags: Tags
) -> str | None:
    """Return the key of which one task is under way: the caller's own, or as the agent declares."""
    if given is not None or entry.singleton is None:
        return given
    return named_value(entry.input_schema, entry.singleton, arguments, tags)


async def create_single(connection: Connection, record: TaskRecord, key: str) -> TaskRecord:
    """Make the record of a task that is to be the only one of its key; return the one that is.

    That is this one, or the one under way, or what stood under this one's id before.
    """
    place = singleton_key(record.agent, record.principal, key)
    before: Item | None = None
    while True:
        now_ms = connection.runner.now_ms()
        created, held = await connection.store.transact(
            [
                protocol.create(record),
                hold(place, before, task_id=record.task_id, now_ms=now_ms),
            ]
        )
        if isinstance(created, Applied) and isinstance(held, Applied):
            return record
        if not isinstance(created, Applied) and created.item is not None:
            return TaskRecord.from_item(created.item)  # by its idempotency key, or an answer lost
        before = held.item
        if before is None:
            continue
        item = await connection.store.read(task_key(record.agent, before["task"]))
        if item is not None and not (under_way := TaskRecord.from_item(item)).status.terminal:
            return under_way
