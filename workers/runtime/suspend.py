"""Suspend: record what a task waits for, then let its worker and its message go."""

from __future__ import annotations

from sqswarm.backends.ports.bus import DELAY_LIMIT_S
from sqswarm.backends.redact import hide_all
from sqswarm.dispatcher.connection import DUE_GRACE_MS
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.journal import (
    PLAN_INLINE_LIMIT_BYTES,
    Place,
    PlannedChild,
    plan_text,
    with_asks,
    with_children,
    with_patches,
    with_sleep,
)
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.lifecycle import ASIDE, Status
from sqswarm.schemas.payload import payload_key
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.signal import is_signal
from sqswarm.schemas.task import TaskRecord, wait_limit_ms
from sqswarm.schemas.writes import Applied, Item, Set, Write, WriteOutcome
from sqswarm.workers.runtime import decide
from sqswarm.workers.runtime.acquire import Disposition
from sqswarm.workers.runtime.completion import Ended, run_completion
from sqswarm.workers.runtime.decide import Standing, Suspend
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.outcome import AskWait, ChildrenWait, SleepWait
from sqswarm.workers.runtime.worker_context import WorkerContext


async def suspend(worker: WorkerContext, job: Job, lease: Lease, decision: Suspend) -> Disposition:
    """Write down what the task waits for and return its message's disposition.

    Waits of one kind go together; where an agent waits for several kinds at a time, children
    come first (machines answer sooner), then people, then time. The others are met again when
    the task is resumed.
    """
    children = {
        child.key: child
        for wait in decision.waits
        if isinstance(wait, ChildrenWait)
        for child in wait.children
    }
    asks = {wait.name: wait for wait in decision.waits if isinstance(wait, AskWait)}
    sleeps = [wait for wait in decision.waits if isinstance(wait, SleepWait)]
    waits = lease.record.waits if lease.record else None
    limit_ms = wait_limit_ms(job.message.deadline)
    waits = with_patches(waits, decision.patches, now_ms=worker.now_ms())
    if children:
        write = await _plan(worker, lease, waits, list(children.values()), decision.at)
    elif asks:
        write = _ask(
            worker,
            lease,
            waits,
            [*asks.values()],
            decision.at,
            limit_ms=limit_ms,
            seen=lease.record,
        )
    else:
        write = _sleep(worker, lease, waits, sleeps, decision.at, limit_ms=limit_ms)
    outcome = await worker.store.write(write)
    while asks and (meanwhile := _sent_meanwhile(outcome, lease, write)) is not None:
        write = _ask(
            worker, lease, waits, [*asks.values()], decision.at, limit_ms=limit_ms, seen=meanwhile
        )
        outcome = await worker.store.write(write)
    item = outcome.item
    if item is None or not (isinstance(outcome, Applied) or _is_ours(item, write, lease)):
        worker.log.warning("suspend.refused", task_id=job.task_id)
        return await stand_back(worker, job, item)
    job.recorded_as("suspended")
    record = TaskRecord.from_item(item)
    worker.log.info(
        "task.suspended",
        task_id=job.task_id,
        children=len(record.pending),
        asks=len(record.open_asks),
        wake_at_ms=record.wake_at_ms,
    )
    if children:
        from sqswarm.dispatcher.lifecycle.children import create_children

        await create_children(await worker.connection.with_catalogue(), record)
    elif asks and not record.awaited:  # all of it had been sent by then
        from sqswarm.dispatcher.lifecycle.republish import republish

        await republish(await worker.connection.with_catalogue(), [record])
    elif not asks:
        await _set_timer(worker, record)
    return Disposition.DELETE


def _is_ours(item: Item, write: Write, lease: Lease) -> bool:
    """Tell whether a refused wait stands there already: then its answer was lost."""
    sets = {c.name: c.value for c in write.changes if isinstance(c, Set)}
    return item["v"] == sets.get("v", lease.v) and item.get("waits") == sets["waits"]


def _sent_meanwhile(outcome: WriteOutcome, lease: Lease, write: Write) -> TaskRecord | None:
    """Return the task as it stands where only what was sent to it kept it from waiting."""
    item = outcome.item
    if isinstance(outcome, Applied) or item is None or _is_ours(item, write, lease):
        return None
    record = TaskRecord.from_item(item)
    runs = record.status is Status.WORKING and record.phase not in ASIDE and record.v == lease.v
    return record if runs else None


async def _plan(
    worker: WorkerContext,
    lease: Lease,
    waits: str | None,
    children: list[PlannedChild],
    place: Place,
) -> Write:
    text = plan_text(children)
    ref = None
    if size_bytes(text) > PLAN_INLINE_LIMIT_BYTES:
        # The version is in the key: a refused plan must not replace the one that stands.
        key = payload_key(lease.agent, lease.task_id, f"plan-{lease.v}")
        ref = await worker.blobs.put(key, text.encode())
    now = worker.now_ms()
    first = lease.record.planned if lease.record else 0
    return protocol.plan(
        lease,
        waits=with_children(waits, children, ref=ref, first=first, at=place, now_ms=now),
        first=first,
        count=len(children),
        now_ms=now,
        due_at_ms=now + DUE_GRACE_MS,
    )


def _ask(
    worker: WorkerContext,
    lease: Lease,
    waits: str | None,
    asks: list[AskWait],
    place: Place,
    *,
    limit_ms: int | None,
    seen: TaskRecord | None,
) -> Write:
    """Return what waits for the answers, and for the signals that a record as seen lacks.

    Whatever it waits for: at `limit_ms` the wait is over.
    """
    came = seen.answers if seen else {}
    now = worker.now_ms()
    waits = with_asks(waits, [wait.name for wait in asks], at=place, now_ms=now)
    given = seen.given if seen else 0
    signals = any(is_signal(wait.name) for wait in asks)
    asks = [wait for wait in asks if not (is_signal(wait.name) and wait.name in came)]
    if not asks:
        return protocol.receive(
            lease,
            waits=waits,
            given=given,
            v=new_version(worker.runner.random_bits),
            now_ms=now,
            due_at_ms=now + DUE_GRACE_MS,
        )
    asked = {wait.name: {**hide_all(wait.asked), "number": n} for n, wait in enumerate(asks)}
    ends = [a["timeoutAt"] for a in asked.values() if "timeoutAt" in a]
    if limit_ms is not None:
        ends.append(limit_ms)
    return protocol.ask(
        lease,
        waits=waits,
        asks=asked,
        given=given if signals else None,
        now_ms=now,
        due_at_ms=min(ends, default=None),
    )


def _sleep(
    worker: WorkerContext,
    lease: Lease,
    waits: str | None,
    sleeps: list[SleepWait],
    place: Place,
    *,
    limit_ms: int | None,
) -> Write:
    wake_at_ms = min(wait.until_ms for wait in sleeps)
    if limit_ms is not None:
        wake_at_ms = min(wake_at_ms, limit_ms)
    names = [(wait.name, wait.until_ms) for wait in sleeps]
    now = worker.now_ms()
    return protocol.sleep(
        lease,
        waits=with_sleep(waits, names, at=place, now_ms=now),
        wake_at_ms=wake_at_ms,
        now_ms=now,
        due_at_ms=wake_at_ms,
    )


async def _set_timer(worker: WorkerContext, record: TaskRecord) -> None:
    """Send a short sleeper's message with a delay: it wakes to the second, not to the minute.

    Only for precision: housekeeping wakes it anyway. FIFO queues delay no single message.
    """
    from sqswarm.dispatcher.lifecycle.republish import outgoing

    wait_s = -((worker.now_ms() - (record.wake_at_ms or 0)) // 1000)
    if wait_s <= DELAY_LIMIT_S and not worker.spec.ordered:
        await worker.bus.send(worker.queue, [outgoing(record)], delay_s=max(0, wait_s))


async def stand_back(
    worker: WorkerContext, job: Job, item: Item | None, *, runs_on: bool = False
) -> Disposition:
    """Leave a task that is not ours any more: ended ones get their effects, others their time.

    A cancelled one may have to be undone: that waits for the end of our lease, unless nothing is
    done under it any more. `runs_on` where a thread is.
    """
    if item is None:  # the record was deleted under us: there is nobody left to tell
        return Disposition.DELETE
    record = TaskRecord.from_item(item)
    if record.status.terminal:
        await run_completion(worker, Ended.of(job, record))
        return Disposition.DELETE
    if record.held == job.token and not record.attempt and not runs_on:
        from sqswarm.workers.runtime.undo import let_go

        await let_go(worker, job)
        await worker.hide(job, seconds=0)  # what was published meanwhile is hidden for the lease
        return Disposition.KEEP
    # Its message stays, in case the one who has it now dies.
    stands, for_s = decide.standing(
        record,
        token=job.token,
        max_attempts=worker.spec.max_attempts,
        now_ms=worker.now_ms(),
    )
    await worker.hide(job, seconds=for_s if stands is Standing.LEASED_BY_ANOTHER else 1)
    return Disposition.KEEP
