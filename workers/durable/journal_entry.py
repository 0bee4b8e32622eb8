"""JournalEntry: what earlier runs of a task have left, by the name that a replay finds it under."""

from __future__ import annotations

from sqswarm.schemas.journal import PATCH, REUSED_OF, entries
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import PATCH_PREFIX, STEP_PREFIX, Lease
from sqswarm.schemas.signal import name_of
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Item
from sqswarm.workers.runtime.worker_context import WorkerContext


@dataclass(frozen=True, kw_only=True)
class JournalEntry:
    """One operation of an earlier run: a step's outcome, or what a wait's entry keeps."""

    position: int
    alone: bool
    outcome: Payload | None = None
    error: JsonObject | None = None
    until_ms: int = 0
    of: str | None = None
    """Of a child: the task that started it, where this one only reuses it."""
    undo: int = 0
    """Of a step that has an undo its number among them, in the order of their ends, from 1."""
    undone: bool = False


_PATCHED = JournalEntry(position=-1, alone=False)


async def read_past(worker: WorkerContext, lease: Lease) -> dict[str, JournalEntry]:
    """Return everything that earlier runs of a task have recorded, by name; patches among it."""
    record = lease.record
    steps = await worker.store.read_group(lease.key.pk, after_sk=STEP_PREFIX)
    found = {
        step_name(item["sk"].removeprefix(STEP_PREFIX)): _step(item)
        for item in steps
        if item["sk"].startswith(STEP_PREFIX)
    }
    patches = [item["sk"] for item in steps if item["sk"].startswith(PATCH_PREFIX)]
    found |= {patch_name(sk.removeprefix(PATCH_PREFIX)): _PATCHED for sk in patches}
    for entry in entries(record.waits if record else None):
        if entry["kind"] == PATCH:
            found[patch_name(entry["name"])] = _PATCHED
            continue
        place = {"position": entry["position"], "alone": entry["alone"]}
        match entry["kind"]:
            case "children":
                for child in await _children(worker, entry):
                    of = child.get(REUSED_OF)
                    found[child_name(child["key"])] = JournalEntry(**place, of=of)
            case "sleep":
                found[sleep_name(entry["name"])] = JournalEntry(**place, until_ms=entry["until"])
            case "receive":
                found[receive_name(name_of(entry["name"]))] = JournalEntry(**place)
            case _:
                found[ask_name(entry["name"])] = JournalEntry(**place)
    return found


async def _children(worker: WorkerContext, entry: JsonObject) -> list[JsonObject]:
    children = entry.get("children")
    if children is None:
        data = await worker.blobs.get(entry["ref"])
        children = [] if data is None else loads(data)
    return list(children)


def patch_name(name: str) -> str:
    """Return a patch's name in the journal."""
    return f"patch {name}"


def step_name(name: str) -> str:
    """Return a step's name in the journal."""
    return f"step {name}"


def child_name(key: str) -> str:
    """Return a child's name in the journal."""
    return f"child {key}"


def sleep_name(name: str) -> str:
    """Return a sleep's name in the journal."""
    return f"sleep {name}"


def ask_name(name: str) -> str:
    """Return a question's name in the journal."""
    return f"ask {name}"


def receive_name(name: str) -> str:
    """Return the name in the journal of what waits for a signal."""
    return f"receive {name}"


def _step(item: Item) -> JournalEntry:
    outcome = None
    if "outcome" in item:
        outcome = Payload(inline=item["outcome"])
    elif "outcome_ref" in item:
        outcome = Payload(ref=item["outcome_ref"])
    return JournalEntry(
        position=item["position"],
        alone=item["alone"],
        outcome=outcome,
        error=loads(item["error"]) if "error" in item else None,
        undo=item.get("undo", 0),
        undone="undone" in item,
    )
