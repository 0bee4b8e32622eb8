"""Job: a delivery that was understood, on its way through the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from sqswarm.backends.ports.bus import Delivery
from sqswarm.schemas.agent_spec import AgentSpec, Durability
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import event_task_id
from sqswarm.schemas.json import dumps
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message, decode
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.task import TaskRecord


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task of one delivery. `token` is the version an acquire of ours would write."""

    delivery: Delivery
    message: Message
    task_id: str
    token: str

    def record(self, spec: AgentSpec, *, now_ms: int) -> TaskRecord:
        """Return the record that an acquire or a lean settle makes of this job."""
        message = self.message
        return TaskRecord(
            task_id=self.task_id,
            agent=spec.name,
            principal=message.principal,
            status=Status.WORKING,
            v=self.token,
            durability=spec.durability,
            created_ms=self.delivery.sent_ms or now_ms,
            updated_ms=now_ms,
            arguments=Payload(ref=message.payload_ref)
            if message.payload_ref
            else Payload(inline=dumps(message.arguments or {})),
            topic=message.topic,
            parent=message.parent,
            session_id=message.session_id,
            ordering_key=message.ordering_key,
            deadline=message.deadline,
            traceparent=message.traceparent,
            redriven_from=message.redriven_from,
        )

    def lean_lease(self, spec: AgentSpec) -> Lease:
        """Return the lease of a task that keeps no record while it runs (`lean` mode)."""
        return Lease(
            task_id=self.task_id,
            v=self.token,
            attempt=self.delivery.receive_count,
            until_ms=0,
            durability=spec.durability,
        )

    def is_lean(self, spec: AgentSpec) -> bool:
        """True where nothing is written before the result."""
        return spec.durability is Durability.LEAN and self.message.v is None


def job_of(delivery: Delivery, spec: AgentSpec, *, token: str) -> Job:
    """Return the job of a delivery, with the version that our acquire would write.

    Raises PoisonMessage with the reason `not-json`, `wrong-shape` or `unknown-agent`.
    """
    message = decode(delivery.body)
    task_id: str
    if message.topic is not None:
        if message.topic not in {s.topic for s in spec.subscriptions}:
            why = f"the agent {spec.name!r} does not subscribe to the topic {message.topic!r}"
            raise PoisonMessage("unknown-topic", why)
        task_id = event_task_id(message.id, spec.name)
    elif message.name != spec.name:
        why = f"the message is for {message.name!r}, and this queue is {spec.name!r}'s"
        raise PoisonMessage("unknown-agent", why)
    else:
        task_id = message.id
    return Job(delivery=delivery, message=message, task_id=task_id, token=token)
