"""WorkerContext: what the runtime's parts share while they work on one agent's tasks."""

from __future__ import annotations

from dataclasses import field

from sqswarm.backends.log import Log
from sqswarm.backends.ports.blobs import Blobs
from sqswarm.backends.ports.bus import Bus
from sqswarm.backends.ports.store import Store
from sqswarm.backends.runner import Runner
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.message import Message
from sqswarm.schemas.value import dataclass
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.runtime.activity import ActivityLog
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.versions import Versions


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """One agent's place of work. What it starts and resumes goes out by its connection.

    The connection's catalogue is read when it is first needed: by few agents.
    """

    agent: AnyAgent | None
    """None where its code does not load: then the runtime is given an executor."""
    spec: AgentSpec
    connection: Connection
    log: Log = field(default_factory=Log)
    name: str = ""
    """What the history of a task calls this worker: short, and found in its logs."""
    versions: Versions | None = None
    """The versions of its code, where tasks go on with the one they began with."""
    activity: ActivityLog = field(default_factory=ActivityLog, compare=False, repr=False)

    tells: bool = False
    """Whether somebody is told of the end of each of its tasks; the catalogue says who."""

    @property
    def store(self) -> Store:
        """Return the table."""
        return self.connection.store

    @property
    def bus(self) -> Bus:
        """Return the topics and queues."""
        return self.connection.bus

    @property
    def blobs(self) -> Blobs:
        """Return the bucket."""
        return self.connection.blobs

    @property
    def runner(self) -> Runner:
        """Return what runs this worker's code: its time and chance too."""
        return self.connection.runner

    @property
    def code(self) -> str | None:
        """Return the number of the version that this worker is, where it is kept."""
        return None if self.versions is None else self.versions.own

    @property
    def queue(self) -> str:
        """Return the agent's queue name."""
        return self.connection.names.queue(self.spec.name, ordered=self.spec.ordered)

    @property
    def dead_letter_queue(self) -> str:
        """Return the agent's dead-letter queue name."""
        names = self.connection.names
        return names.dead_letter_queue(self.spec.name, ordered=self.spec.ordered)

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return self.runner.now_ms()

    def expires_s(self, *, child: bool = False) -> int:
        """Return when a record that ends now may be forgotten (Unix seconds)."""
        return self.connection.expires_s(child=child)

    def owes_until_ms(self, message: Message) -> int | None:
        """Return from when on housekeeping tells of a task that ends now, where anybody is told."""
        if not (self.tells or self.spec.notify or message.notify):
            return None
        return self.now_ms() + DUE_GRACE_MS

    async def hide(self, job: Job, *, seconds: int) -> None:
        """Hide a job's message for `seconds` from now."""
        await self.bus.hide(self.queue, job.delivery.receipt, seconds=seconds)
