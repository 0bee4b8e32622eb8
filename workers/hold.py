"""Hold: renew a task's lease while it runs, in a worker that may run for hours.

A lease that is renewed can be short, so that a dead worker's task is soon taken up by another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from schemas import operations
from schemas.errors import LeaseLost
from schemas.operations import Lease
from schemas.writes import Applied
from workers.station import Station

T = TypeVar("T")

_CLEAN_UP_S = 2.0
"""How long what is cancelled may take to end; a thread cannot be made to."""

_RETRY_S = 1.0


class ToldToStop(Exception):
    """The worker was told to stop while this ran."""


async def while_held(
    station: Station, lease: Lease | None, work: Coroutine[Any, Any, T], *, stopping: asyncio.Event
) -> T:
    """Return what `work` returns, renewing `lease` (None: there is none) at a third of its time.

    Raises LeaseLost as soon as a renewal is refused, ToldToStop once `stopping` is set; `work` is
    cancelled then.
    """
    running = asyncio.ensure_future(work)
    others: list[asyncio.Future[Any]] = [asyncio.ensure_future(stopping.wait())]
    if lease is not None:
        others.append(asyncio.ensure_future(_renew(station, lease)))
    try:
        await asyncio.wait({running, *others}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return running.result()
        for other in others[1:]:
            if other.done():
                other.result()
        raise ToldToStop
    finally:
        for task in (running, *others):
            task.cancel()
        await asyncio.wait({running, *others}, timeout=_CLEAN_UP_S)
        if running.done() and not running.cancelled():
            running.exception()  # looked at, so that nobody is told it was not


async def _renew(station: Station, lease: Lease) -> None:
    """Renew for ever; raises LeaseLost where that is refused.

    An answer that does not come is no refusal: the run goes on, and its result is fenced by `v`.
    """
    third_s = station.spec.lease_s / 3
    pause_s = third_s
    while True:
        await asyncio.sleep(pause_s)
        until_ms = station.now_ms() + 1000 * station.spec.lease_s
        try:
            outcome = await station.store.write(operations.renew(lease, lease_until_ms=until_ms))
        except Exception as error:
            if pause_s == third_s:
                station.log.warning("renew.failed", task_id=lease.task_id, error=repr(error))
            pause_s = _RETRY_S
            continue
        if not isinstance(outcome, Applied):
            message = f"task {lease.task_id} is no longer this worker's"
            raise LeaseLost(message)
        pause_s = third_s
