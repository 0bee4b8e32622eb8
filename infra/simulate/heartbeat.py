"""A container worker's heartbeat: the lease of a run is prolonged at a third of its length.

A container has no time-out that ends a run before its lease: it lets go by itself, in time for
any other clock, when its lease is another's or could not be prolonged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields

from schemas import operations
from schemas.agent_spec import LEASE_MARGIN_S, AgentSpec
from schemas.writes import Applied
from workers import TaskContext
from workers.journal import Journal

LEASE_S = 15
"""Shorter than an attempt may be: only its heartbeat lets a long run end."""

_AGAIN_S = 1.0


class RenewedSpec(AgentSpec):
    """The spec of an agent whose workers renew their leases."""

    @classmethod
    def of(cls, spec: AgentSpec) -> RenewedSpec:
        """Return a spec that is the same but for its leases."""
        return cls(**{one.name: getattr(spec, one.name) for one in fields(spec)})

    @property
    def lease_s(self) -> int:
        """Return the seconds of a lease."""
        return LEASE_S


@asynccontextmanager
async def beating(ctx: TaskContext) -> AsyncIterator[None]:
    """Renew the lease of a run while it lasts, where its worker does that."""
    journal = ctx.journal
    if journal is None or not isinstance(journal.station.spec, RenewedSpec):
        yield
        return
    heart = asyncio.ensure_future(_beat(journal))
    try:
        yield
    finally:
        heart.cancel()


async def _beat(journal: Journal) -> None:
    station, lease = journal.station, journal.lease
    until_ms, wait_s = lease.until_ms, LEASE_S / 3
    while True:
        left_s = (until_ms - station.now_ms()) / 1000 - LEASE_MARGIN_S
        await asyncio.sleep(min(wait_s, left_s))
        now = station.now_ms()
        asked_ms = now + 1000 * LEASE_S
        left_s = (until_ms - now) / 1000 - LEASE_MARGIN_S
        try:
            async with asyncio.timeout(left_s):
                write = operations.renew(lease, lease_until_ms=asked_ms)
                outcome = await station.store.write(write)
        except Exception:
            wait_s = _AGAIN_S
            if (until_ms - station.now_ms()) / 1000 <= LEASE_MARGIN_S:
                _let_go(journal, journal.lost(None))
                return
            continue
        if not isinstance(outcome, Applied):
            _let_go(journal, journal.lost(outcome.item))
            return
        until_ms, wait_s = asked_ms, LEASE_S / 3


def _let_go(journal: Journal, why: Exception) -> None:
    """End the run as it ends when a step of it finds the lease lost."""
    journal.broke = why
    journal.suspended.set()
