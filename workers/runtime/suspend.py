"""Suspend: record what a task waits for, then let its worker and its message go."""

from __future__ import annotations

from sqswarm.backends.ports.bus import DELAY_LIMIT_S
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.dispatcher.lifecycle.children import spawn
from sqswarm.dispatcher.lifecycle.republish import outgoing
from sqswarm.schemas import protocol
from sqswarm.schemas.journal import (
    PLAN_INLINE_LIMIT_BYTES,
    Place,
    PlannedChild,
    plan_text,
    with_asks,
    with_children,
    with_sleep,
)
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied, Item, Set, Write
from sqswarm.workers.runtime import standing as at
from sqswarm.workers.runtime.acquire import Fate
from sqswarm.workers.runtime.completion import Ended, carry_out
from sqswarm.workers.runtime.decide import Park
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.outcome import AskWait, ChildrenWait, SleepWait
from sqswarm.workers.runtime.worker_context import Station


async def suspend(station: Station, job: Job, lease: Lease, park: Park) -> Fate:
    """Write down what the task waits for and return its message's fate.

    Waits of one kind go together; where an agent waits for several kinds at a time, children
    come first (machines answer sooner), then people, then time. The others are met again when
    the task is resumed.
    """
    children = {
        child.key: child
        for wait in park.waits
        if isinstance(wait, ChildrenWait)
        for child in wait.children
    }
    asks = {wait.name: wait for wait in park.waits if isinstance(wait, AskWait)}
    sleeps = [wait for wait in park.waits if isinstance(wait, SleepWait)]
    if children:
        write = await _plan(station, lease, list(children.values()), park.at)
    elif asks:
        write = _ask(station, lease, list(asks.values()), park.at)
    else:
        write = _sleep(station, lease, sleeps, park.at)
    outcome = await station.store.write(write)
    item = outcome.item
    if item is None or not (isinstance(outcome, Applied) or _is_ours(item, write, lease)):
        station.log.warning("suspend.refused", task_id=job.task_id)
        return await stand_back(station, job, item)
    record = TaskRecord.from_item(item)
    station.log.info(
        "task.suspended",
        task_id=job.task_id,
        children=len(record.pending),
        asks=len(record.open_asks),
        wake_at_ms=record.wake_at_ms,
    )
    if children:
        await spawn(await station.desk(), record)
    elif not asks:
        await _set_timer(station, record)
    return Fate.DELETE


def _is_ours(item: Item, write: Write, lease: Lease) -> bool:
    """Tell whether a refused wait stands there already: then its answer was lost."""
    waits = next(c.value for c in write.changes if isinstance(c, Set) and c.name == "waits")
    return item["v"] == lease.v and item.get("waits") == waits


async def _plan(
    station: Station, lease: Lease, children: list[PlannedChild], place: Place
) -> Write:
    text = plan_text(children)
    ref = None
    if size_bytes(text) > PLAN_INLINE_LIMIT_BYTES:
        # The version is in the key: a refused plan must not replace the one that stands.
        key = f"payloads/{lease.task_id}/plan-{lease.v}.json"
        ref = await station.blobs.put(key, text.encode())
    now = station.now_ms()
    first = lease.record.planned if lease.record else 0
    return protocol.plan(
        lease,
        waits=with_children(_waits(lease), children, ref=ref, first=first, at=place),
        first=first,
        count=len(children),
        now_ms=now,
        due_at_ms=now + DUE_GRACE_MS,
    )


def _ask(station: Station, lease: Lease, asks: list[AskWait], place: Place) -> Write:
    asked = {wait.name: {**wait.asked, "number": n} for n, wait in enumerate(asks)}
    return protocol.ask(
        lease,
        waits=with_asks(_waits(lease), asked, at=place),
        asks=asked,
        now_ms=station.now_ms(),
        due_at_ms=min((a["timeoutAt"] for a in asked.values() if "timeoutAt" in a), default=None),
    )


def _sleep(station: Station, lease: Lease, sleeps: list[SleepWait], place: Place) -> Write:
    wake_at_ms = min(wait.until_ms for wait in sleeps)
    names = [(wait.name, wait.until_ms) for wait in sleeps]
    return protocol.sleep(
        lease,
        waits=with_sleep(_waits(lease), names, at=place),
        wake_at_ms=wake_at_ms,
        now_ms=station.now_ms(),
        due_at_ms=wake_at_ms,
    )


def _waits(lease: Lease) -> str | None:
    return lease.record.waits if lease.record else None


async def _set_timer(station: Station, record: TaskRecord) -> None:
    """Send a short sleeper's message with a delay: it wakes to the second, not to the minute.

    Only for precision: housekeeping wakes it anyway. FIFO queues delay no single message.
    """
    wait_s = -((station.now_ms() - (record.wake_at_ms or 0)) // 1000)
    if wait_s <= DELAY_LIMIT_S and not station.spec.ordered:
        await station.bus.send(station.queue, [outgoing(record)], delay_s=max(0, wait_s))


async def stand_back(station: Station, job: Job, item: Item | None) -> Fate:
    """Leave a task that is not ours any more: ended ones get their effects, others their time."""
    if item is None:  # the record was deleted under us: there is nobody left to tell
        return Fate.DELETE
    record = TaskRecord.from_item(item)
    if record.status.terminal:
        await carry_out(station, [Ended.of(job, record)])
        return Fate.DELETE
    # Its message stays, in case the one who has it now dies.
    step = at.standing(
        record,
        token=job.token,
        max_attempts=station.spec.max_attempts,
        now_ms=station.now_ms(),
    )
    await station.hide(job, seconds=step.for_s if isinstance(step, at.LeasedByAnother) else 1)
    return Fate.KEEP
