"""Job: a delivery that was understood, on its way through the runtime."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING

from sqswarm.backends.ports.bus import Delivery
from sqswarm.dispatcher.tracing import follows_xray
from sqswarm.schemas.agent_spec import AgentSpec, Durability
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import traceparent_of_xray
from sqswarm.schemas.message import Message, decode
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.value import dataclass

if TYPE_CHECKING:  # made only where somebody listens
    from sqswarm.schemas.heard import Attempt
    from sqswarm.schemas.protocol.limit import Slot


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task of one delivery. `token` is the version an acquire of ours would write.

    `request_id` is the invocation's that brought it, where there is such a thing.
    """

    delivery: Delivery
    message: Message
    task_id: str
    token: str
    request_id: str = ""
    slot: Slot | None = field(default=None, compare=False, repr=False)
    """What it holds of its agent's limit, where there is one."""
    told: Attempt | None = field(default=None, compare=False, repr=False)
    """What middleware hears of it, where anybody listens."""

    def recorded_as(self, outcome: str) -> None:
        """Note what became of its attempt."""
        if self.told is not None:
            self.told.outcome = outcome

    def of_record(self, record: TaskRecord | None) -> Job:
        """Return this job as its task's record tells it, if there is one: that is the truth."""
        return self if record is None else replace(self, message=record.to_message())

    def record(self, spec: AgentSpec, *, now_ms: int) -> TaskRecord:
        """Return the record that an acquire or a lean settle makes of this job."""
        return TaskRecord.from_message(
            self.message,
            agent=spec.name,
            v=self.token,
            durability=spec.durability,
            now_ms=now_ms,
            created_ms=self.delivery.sent_ms,
        )

    def lean_lease(self, spec: AgentSpec, *, began: str) -> Lease:
        """Return the lease of a task that keeps no record while it runs (`lean` mode)."""
        return Lease(
            agent=spec.name,
            task_id=self.task_id,
            v=self.token,
            attempt=self.delivery.receive_count,
            until_ms=0,
            durability=spec.durability,
            began=began,
        )

    def is_lean(self, spec: AgentSpec) -> bool:
        """True where nothing is written before the result."""
        return spec.durability is Durability.LEAN and self.message.v is None


def job_of(delivery: Delivery, spec: AgentSpec, *, token: str, request_id: str = "") -> Job:
    """Return the job of a delivery, with the version that our acquire would write.

    Raises PoisonMessage, whatever the message holds: what cannot be read is its own sender's.
    """
    try:
        message = decode(delivery.body)
    except PoisonMessage:
        raise
    except Exception as error:
        raise PoisonMessage("unreadable", f"the message cannot be read: {error!r}") from error
    if message.traceparent is None and delivery.xray and follows_xray():
        message = replace(message, traceparent=traceparent_of_xray(delivery.xray))
    if message.topic is not None:
        if message.topic not in {s.topic for s in spec.subscriptions}:
            why = f"the agent {spec.name!r} does not subscribe to the topic {message.topic!r}"
            raise PoisonMessage("unknown-topic", why)
    elif message.name != spec.name:
        why = f"the message is for {message.name!r}, and this queue is {spec.name!r}'s"
        raise PoisonMessage("unknown-agent", why)
    return Job(
        delivery=delivery,
        message=message,
        task_id=message.task_id(spec.name),
        token=token,
        request_id=request_id,
    )
