"""Heartbeat: renew a task's lease while it runs, in a worker that may run for hours.

A lease that is renewed can be short, so that a dead worker's task is soon taken up by another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import LEASE_MARGIN_S
from sqswarm.schemas.errors import LeaseLost
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.writes import Applied
from sqswarm.workers.runtime.worker_context import WorkerContext

if TYPE_CHECKING:
    from sqswarm.schemas.protocol.limit import Slot

T = TypeVar("T")

_CLEAN_UP_S = 2.0
"""How long what is cancelled may take to end; a thread cannot be made to."""

_RETRY_S = 1.0


class WorkerStopping(Exception):
    """The worker was told to stop while this ran."""


async def heartbeat(
    worker: WorkerContext,
    lease: Lease | None,
    work: Coroutine[Any, Any, T],
    *,
    stopping: asyncio.Event,
    slot: Slot | None = None,
) -> T:
    """Return what `work` returns, renewing `lease` (None: there is none) at a third of its time.

    With it is renewed what it holds of a limit.

    Raises LeaseLost as soon as a renewal is refused, WorkerStopping once `stopping` is set; then
    `work` is cancelled.
    """
    running = asyncio.ensure_future(work)
    others: list[asyncio.Future[Any]] = [asyncio.ensure_future(stopping.wait())]
    if lease is not None:
        others.append(asyncio.ensure_future(_renew(worker, lease, slot)))
    try:
        await asyncio.wait({running, *others}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        for other in others[1:]:
            if other.done():
                other.result()
        raise WorkerStopping
    finally:
        for task in (running, *others):
            task.cancel()
        await asyncio.wait({running, *others}, timeout=_CLEAN_UP_S)
        if running.done() and not running.cancelled():
            running.exception()  # looked at, so that nobody is told it was not


async def _renew(worker: WorkerContext, lease: Lease, slot: Slot | None) -> None:
    """Renew for ever; raises LeaseLost where that is refused, or comes too late.

    A run that outlives its lease does no harm, since what it writes is fenced. But another worker
    may run the task by then, so it is let go in time for any other's clock.
    """
    lease_s = worker.spec.lease_s
    until_ms, wait_s = lease.until_ms, lease_s / 3
    if slot is not None:
        until_ms = min(until_ms, slot.until_ms)
    while True:
        await asyncio.sleep(max(0.0, min(wait_s, _left_s(worker, until_ms))))
        asked_ms = worker.now_ms() + 1000 * lease_s
        writes = [protocol.renew(lease, lease_until_ms=asked_ms)]
        if slot is not None:
            from sqswarm.schemas.protocol.limit import renew

            writes.append(renew(slot, until_ms=asked_ms))
        try:
            async with asyncio.timeout(_left_s(worker, until_ms)):
                outcomes = (
                    [await worker.store.write(writes[0])]
                    if slot is None
                    else await worker.store.write_many(writes)
                )
        except Exception as error:
            if wait_s != _RETRY_S:
                worker.log.warning("renew.failed", task_id=lease.task_id, error=repr(error))
            wait_s = _RETRY_S
            if _left_s(worker, until_ms) <= 0:
                message = f"the lease of task {lease.task_id} could not be renewed in time"
                raise LeaseLost(message) from error
            continue
        if not all(isinstance(outcome, Applied) for outcome in outcomes):
            message = f"task {lease.task_id} is no longer this worker's"
            raise LeaseLost(message)
        until_ms, wait_s = asked_ms, lease_s / 3


def _left_s(worker: WorkerContext, until_ms: int) -> float:
    """Return the seconds until a lease has to be let go."""
    return (until_ms - worker.now_ms()) / 1000 - LEASE_MARGIN_S
