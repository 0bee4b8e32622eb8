"""Copy of a journal: what a task recorded before a step becomes the past of its redriven self.

Steps and patches are copied beside the new task's record, with their payloads; waits and answers
go into it. Children stay whose they are: the new journal names the task that started them, and
nothing of them is run, counted or waited for again. All of it may be repeated without harm: each
item is made once, and what is made before the record is found by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import VALUE_KEY
from sqswarm.dispatcher.lifecycle.recorded_outcomes import (
    RecordedOutcome,
    ReusableChild,
    kept_before,
    outcomes,
)
from sqswarm.dispatcher.view import visible
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.journal import (
    COPIED,
    PATCH,
    PLAN_INLINE_LIMIT_BYTES,
    REUSED_OF,
    agent_of_child,
    entries,
    planned_id,
)
from sqswarm.schemas.json import JsonObject, dumps, loads, size_bytes
from sqswarm.schemas.payload import GONE, payload_key
from sqswarm.schemas.pricing import MICRO
from sqswarm.schemas.protocol import PATCH_PREFIX, STEP_PREFIX
from sqswarm.schemas.signal import is_signal, signal_key
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.timeline import SpanKind
from sqswarm.schemas.undo import shown_step
from sqswarm.schemas.writes import Item

_AT_ONCE = 25
_COUNTED = {
    SpanKind.STEP: "steps",
    SpanKind.TURN: "turns",
    SpanKind.CHILD: "children",
    SpanKind.ASK: "answers",
    SpanKind.RECEIVE: "signals",
    SpanKind.SLEEP: "sleeps",
}


@dataclass(frozen=True, kw_only=True)
class JournalCopy:
    """What a redrive takes along: `from_step` is the exact name it begins at."""

    from_step: str
    steps: Sequence[Item]
    waits: Sequence[JsonObject]
    answers: JsonObject
    shown: JsonObject

    @property
    def empty(self) -> bool:
        """True where nothing is taken along: the new task begins at its start."""
        return not (self.steps or self.waits)


async def choose_copy(connection: Connection, record: TaskRecord, from_step: str) -> JournalCopy:
    """Read what a task has recorded, and choose what a redrive from `from_step` keeps of it.

    Raises UsageError for a step that is not there, where one before it was undone, and where a plan
    of children is gone.
    """
    items = await connection.store.read_group(record.key.pk, after_sk=STEP_PREFIX)
    steps = [item for item in items if item["sk"].startswith(STEP_PREFIX)]
    patches = [item for item in items if item["sk"].startswith(PATCH_PREFIX)]
    waits = entries(record.waits)
    children = await _children(connection, record, waits)
    recorded = outcomes(record, steps, waits, children)
    name, kept = kept_before(recorded, record, from_step)
    kept_steps = [one.step for one in kept if one.step is not None]
    undone = [item for item in kept_steps if "undone" in item]
    if undone:
        step = shown_step(undone[0]["sk"].removeprefix(STEP_PREFIX))
        message = f"step {step!r} of task {record.task_id} was undone: nothing can be built on it"
        raise UsageError(message, hint=f"Redrive from {step!r}, from a step before it, or anew.")
    kept_waits = _waits(waits, kept)
    keys = {one.name for one in kept if one.kind is SpanKind.ASK}
    keys |= {signal_key(one.name) for one in kept if one.kind is SpanKind.RECEIVE}
    # What was sent is taken along whole: what was received before the step, and what may be after.
    answers = {
        key: given
        for key, given in record.answers.items()
        if key in keys or (is_signal(key) and VALUE_KEY in given)
    }
    return JournalCopy(
        from_step=name,
        steps=[*kept_steps, *patches] if kept else [],
        waits=kept_waits if kept else [],
        answers=answers,
        shown=_shown(name, kept, kept_steps),
    )


def _shown(name: str, kept: Sequence[RecordedOutcome], steps: Sequence[Item]) -> JsonObject:
    """Return what the new task tells of what was copied, and of what that had cost."""
    counts = Counter(_COUNTED[one.kind] for one in kept)
    shown: JsonObject = {"fromStep": name, **counts}
    turns = [item for item in steps if "micro_usd" in item]
    if turns:
        shown["tokens"] = sum(item["tokens"] for item in turns)
        shown["usd"] = sum(item["micro_usd"] for item in turns) / MICRO
    return shown


def _waits(waits: Sequence[JsonObject], kept: Sequence[RecordedOutcome]) -> list[JsonObject]:
    """Return the entries of what is kept; of children, those that are."""
    children: dict[int, list[JsonObject]] = {}
    stays: set[int] = set()
    for one in kept:
        if one.child is not None and one.entry is not None:
            reused = {"key": one.child.key, REUSED_OF: one.child.of}
            children.setdefault(one.entry, []).append(reused)
        elif one.entry is not None:
            stays.add(one.entry)
    found = []
    for number, entry in enumerate(waits):
        if number in children:
            plain = {name: value for name, value in entry.items() if name != "ref"}
            found.append({**plain, "first": 0, "children": children[number], COPIED: True})
        elif number in stays or entry["kind"] == PATCH:
            found.append({**entry, COPIED: True})
    return found


async def _children(
    connection: Connection, record: TaskRecord, waits: Sequence[JsonObject]
) -> Mapping[int, Sequence[ReusableChild]]:
    named: dict[int, list[ReusableChild]] = {}
    for number, entry in enumerate(waits):
        if entry["kind"] != "children":
            continue
        planned = entry.get("children")
        if planned is None:
            planned = loads(await _read(connection, entry["ref"], record))
        named[number] = [
            ReusableChild(
                key=child["key"],
                of=child.get(REUSED_OF, record.task_id),
                task_id=planned_id(record.task_id, child),
                agent=agent_of_child(child["key"]),
            )
            for child in planned
        ]
    keys = {
        child.task_id: task_key(child.agent, child.task_id)
        for several in named.values()
        for child in several
    }
    items = await connection.store.read_many(list(keys.values())) if keys else {}
    return {
        number: [
            replace(child, record=visible(connection, items.get(keys[child.task_id])))
            for child in several
        ]
        for number, several in named.items()
    }


async def write_copy(connection: Connection, copy: JournalCopy, new: TaskRecord) -> str | None:
    """Copy the steps beside the record that `new` will be, and return its waits.

    None where nothing is taken along. Raises UsageError where a payload is gone.
    """
    if copy.empty:
        return None
    expires_s = connection.expires_s(child=True)  # as long as a task may wait
    for first in range(0, len(copy.steps), _AT_ONCE):
        some = copy.steps[first : first + _AT_ONCE]
        refs = await connection.runner.gather([_moved(connection, item, new) for item in some])
        await connection.store.write_many(
            [
                protocol.copy_step(item, new.key, outcome_ref=ref, ttl_s=expires_s)
                for item, ref in zip(some, refs, strict=True)
            ]
        )
    waits = [
        await _within_limits(connection, number, entry, new)
        for number, entry in enumerate(copy.waits)
    ]
    return dumps(waits)


async def _moved(connection: Connection, item: Item, new: TaskRecord) -> str | None:
    """Copy a step's large outcome under the new task's own key, where it lives as long."""
    ref = item.get("outcome_ref")
    if ref is None:
        return None
    text = await _read(connection, ref, new)
    digest = sha256(str(item["sk"]).encode()).hexdigest()[:16]
    key = payload_key(new.agent, new.task_id, f"copied-{digest}")
    return await connection.blobs.put(key, text.encode())


async def _within_limits(
    connection: Connection, number: int, entry: JsonObject, new: TaskRecord
) -> JsonObject:
    """Return an entry whose children, where they are many, lie in S3."""
    children = entry.get("children")
    if children is None or size_bytes(text := dumps(children)) <= PLAN_INLINE_LIMIT_BYTES:
        return entry
    key = payload_key(new.agent, new.task_id, f"plan-copied-{number}")
    ref = await connection.blobs.put(key, text.encode())
    return {**{n: v for n, v in entry.items() if n != "children"}, "ref": ref}


async def _read(connection: Connection, ref: str, record: TaskRecord) -> str:
    data = await connection.blobs.get(ref)
    if data is None:
        message = f"what task {record.redriven_from or record.task_id} keeps at {ref} {GONE}"
        raise UsageError(message, hint="Redrive it from its start, or from an earlier step.")
    return data.decode()
