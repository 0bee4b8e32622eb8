"""Export of a journal: what a task has recorded, as JSON that another process can replay.

{"journal": 1, "task": {…}, "steps": [{…}], "children": [{…}], "payloads": {"s3://…": "…"}}

The items are as the table keeps them (correctness.md, "The record"); a set of numbers is a list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import find, not_found
from sqswarm.schemas.journal import agent_of_child, entries, planned_id
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.protocol import PATCH_PREFIX, STEP_PREFIX
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Item, Key

VERSION = 1


async def export_journal(
    connection: Connection, task_id: str, *, agent: str | None = None
) -> JsonObject:
    """Return what a task, its steps and its children have recorded.

    Raises TaskNotFound where this principal has no such task.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        raise not_found(connection, task_id)
    found = await connection.store.read_group(record.key.pk)
    task = next(item for item in found if item["sk"] == record.key.sk)
    steps = [item for item in found if item["sk"].startswith((STEP_PREFIX, PATCH_PREFIX))]
    payloads: dict[str, str] = {}
    await _read_payloads(connection, [task, *steps, *entries(record.waits)], payloads)
    keys = list(children_of(record, payloads))
    children = list((await connection.store.read_many(keys)).values())
    await _read_payloads(connection, children, payloads)
    return {
        "journal": VERSION,
        "task": _plain(task),
        "steps": [_plain(item) for item in steps],
        "children": [_plain(item) for item in children],
        "payloads": payloads,
    }


def children_of(record: TaskRecord, payloads: JsonObject) -> Iterator[Key]:
    """Yield the keys of a task's children, whose large plans are among `payloads`."""
    for entry in entries(record.waits):
        if entry["kind"] != "children":
            continue
        planned = entry.get("children")
        if planned is None:
            planned = loads(payloads.get(entry["ref"], "[]"))
        for child in planned:
            yield task_key(agent_of_child(child["key"]), planned_id(record.task_id, child))


async def _read_payloads(
    connection: Connection, items: list[Any], payloads: dict[str, str]
) -> None:
    """Read what lies in S3; what is gone there is left out."""
    refs = {
        str(value)
        for item in items
        for name, value in item.items()
        if name == "ref" or name.endswith("_ref")
    }
    for ref in sorted(refs - payloads.keys()):
        data = await connection.blobs.get(ref)
        if data is not None:
            payloads[ref] = data.decode()


def _plain(item: Item) -> JsonObject:
    return {
        name: sorted(value) if isinstance(value, frozenset) else value
        for name, value in item.items()
    }
