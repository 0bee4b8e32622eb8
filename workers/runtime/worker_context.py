"""WorkerContext: what the runtime's parts share while they work on one agent's tasks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from sqswarm.backends.log import Log
from sqswarm.backends.ports.blobs import Blobs
from sqswarm.backends.ports.bus import Bus
from sqswarm.backends.ports.store import Store
from sqswarm.backends.runner import Runner
from sqswarm.dispatcher.connection import Connection, expires_s, read_catalogue
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.naming import Names
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.runtime.job import Job


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """One agent's place of work: its ports, its names and a source of jitter (0 to 1)."""

    agent: AnyAgent | None
    """None where its code does not load: then the runtime is given an executor."""
    spec: AgentSpec
    names: Names
    store: Store
    bus: Bus
    blobs: Blobs
    runner: Runner
    ttl_s: int
    log: Log = field(default_factory=Log)
    jitter: Callable[[], float] = random.random
    kept: dict[str, Connection] = field(default_factory=dict, repr=False)
    """The connection, once it was needed."""

    @property
    def queue(self) -> str:
        """Return the agent's queue name."""
        return self.names.queue(self.spec.name, ordered=self.spec.ordered)

    @property
    def dead_letter_queue(self) -> str:
        """Return the agent's dead-letter queue name."""
        return self.names.dead_letter_queue(self.spec.name, ordered=self.spec.ordered)

    async def connection(self, *, fresh: bool = False) -> Connection:
        """Return the dispatcher's connection for what this agent starts or resumes.

        Its catalogue is read when it is first needed, and again when `fresh`.
        """
        connection = self.kept.get("connection")
        if connection is None or fresh:
            connection = self.kept["connection"] = Connection(
                names=self.names,
                store=self.store,
                bus=self.bus,
                blobs=self.blobs,
                runner=self.runner,
                catalogue=await read_catalogue(self.blobs, self.names),
                principal=self.spec.name,
                operator=True,
                ttl_s=self.ttl_s,
            )
        return connection

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return self.runner.now_ms()

    def expires_s(self, *, child: bool = False) -> int:
        """Return when a record that ends now may be forgotten (Unix seconds)."""
        return expires_s(self.now_ms(), self.ttl_s, child=child)

    async def hide(self, job: Job, *, seconds: int) -> None:
        """Hide a job's message for `seconds` from now."""
        await self.bus.hide(self.queue, job.delivery.receipt, seconds=seconds)
