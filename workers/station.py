"""Station: what the runtime's parts share while they work on one agent's tasks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from backends.blobs.port import Blobs
from backends.bus.port import Bus
from backends.runner import Runner
from backends.store.port import Store
from schemas.agent_spec import AgentSpec
from schemas.naming import Names
from workers.agent import AnyAgent
from workers.job import Job
from workers.log import Log


@dataclass(frozen=True, kw_only=True)
class Station:
    """One agent's place of work: its ports, its names and a source of jitter (0 to 1)."""

    agent: AnyAgent
    spec: AgentSpec
    names: Names
    store: Store
    bus: Bus
    blobs: Blobs
    runner: Runner
    ttl_s: int
    log: Log = field(default_factory=Log)
    jitter: Callable[[], float] = random.random

    @property
    def queue(self) -> str:
        """Return the agent's queue name."""
        return self.names.queue(self.spec.name, ordered=self.spec.ordered)

    @property
    def dead_letter_queue(self) -> str:
        """Return the agent's dead-letter queue name."""
        return self.names.dead_letter_queue(self.spec.name, ordered=self.spec.ordered)

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return self.runner.now_ms()

    def expires_s(self) -> int:
        """Return when a record that ends now may be forgotten (Unix seconds)."""
        return self.now_ms() // 1000 + self.ttl_s

    async def hide(self, job: Job, *, seconds: int) -> None:
        """Hide a job's message for `seconds` from now."""
        await self.bus.hide(self.queue, job.delivery.receipt, seconds=seconds)
