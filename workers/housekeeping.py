"""Housekeeping: repairs what no message will, every minute (correctness.md, "Housekeeping").

Acting on a stale read is safe: each act is one conditional write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.bus.port import DeadLetter, Delivery
from dispatcher.desk import DUE_GRACE_MS, Desk
from dispatcher.republish import republish
from schemas import operations
from schemas.errors import PoisonMessage, UnknownAgent
from schemas.message import decode
from schemas.results import error_object
from schemas.task import DUE_SHARDS, TaskRecord, iso
from schemas.writes import Applied, Write
from workers.log import Log

PUBLISHES_LIMIT = 12
"""Times a task is published again before it is given up: the waits double, so it takes days."""

_A_SHARD = 200


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one round did: how many tasks were due, published again, failed and cleared."""

    due: int = 0
    republished: int = 0
    failed: int = 0
    cleared: int = 0


class Housekeeper:
    """The swarm's housekeeping for one stage."""

    def __init__(self, desk: Desk, log: Log) -> None:
        """Keep house with the desk's ports."""
        self._desk = desk
        self._log = log

    async def sweep(self) -> Sweep:
        """Look at every task that is due, once."""
        desk = self._desk
        now = desk.runner.now_ms()
        shards = [f"due#{n}" for n in range(DUE_SHARDS)]
        found = await desk.runner.gather(
            [desk.store.due(shard, until_ms=now, limit=_A_SHARD) for shard in shards]
        )
        items = await desk.store.read_many([key for keys in found for key in keys])
        records = [TaskRecord.from_item(item) for item in items.values()]
        acts = {record.task_id: self._act(record, now) for record in records}
        writes = {task_id: write for task_id, write in acts.items() if write is not None}
        outcomes = await desk.runner.gather([desk.store.write(w) for w in writes.values()])
        applied = {
            task_id
            for task_id, outcome in zip(writes, outcomes, strict=True)
            if isinstance(outcome, Applied)
        }
        done = [record for record in records if record.task_id in applied]
        again = [r for r in done if not r.status.terminal and r.publishes < PUBLISHES_LIMIT]
        await republish(desk, [r for r in again if r.agent in desk.catalogue.agents])
        cleared = [r for r in done if r.status.terminal]
        swept = Sweep(
            due=len(records),
            republished=len(again),
            failed=len(done) - len(again) - len(cleared),
            cleared=len(cleared),
        )
        if records:
            self._log.info("housekeeping.swept", **vars(swept))
        return swept

    def _act(self, record: TaskRecord, now: int) -> Write | None:
        """Return what this task needs, None for one that is in good hands."""
        if record.status.terminal:
            return operations.clear_due(record.task_id, record.status)
        if record.lease_until_ms > now:
            return None
        if record.publishes < PUBLISHES_LIMIT:
            wait_ms = DUE_GRACE_MS << (record.publishes + 1)
            return operations.republish(record, due_at_ms=now + wait_ms)
        return operations.fail_exhausted(
            record.task_id,
            expected=record.v,
            error=error_object(
                "WorkerLost",
                f"published {record.publishes + 1} times, and no worker ended it",
                attempt=record.attempt,
            ),
            now_ms=now,
            expires_s=self._desk.expires_s(),
            owes=record.parent is not None,
        )

    async def put_unrouted_aside(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Put messages that no agent's filter wanted aside, with the reason.

        Returns the message ids that could not be and must be delivered again.
        """
        keep: list[str] = []
        for delivery in deliveries:
            poison = self._why(delivery)
            self._log.error("message.poisoned", reason=poison.reason, detail=str(poison))
            letter = DeadLetter(
                body=delivery.body,
                reason=poison.reason,
                detail=str(poison),
                failed_at=iso(self._desk.runner.now_ms()),
            )
            queue = self._desk.names.dead_letter_queue("unrouted")
            try:
                await self._desk.bus.dead_letter(queue, letter, group=None)
            except Exception as error:
                self._log.error("dead-letter.failed", error=repr(error))
                keep.append(delivery.message_id)
        return keep

    def _why(self, delivery: Delivery) -> PoisonMessage:
        name = delivery.attributes.get("agent")
        try:
            message = decode(delivery.body)
        except PoisonMessage as poison:
            return poison
        if name is None:
            return PoisonMessage("no-agent", "the message has no attribute `agent`")
        try:
            self._desk.catalogue.agent(message.name)
        except UnknownAgent as error:
            return PoisonMessage("unknown-agent", str(error))
        why = f"the attribute `agent` says {name!r}, the message {message.name!r}"
        return PoisonMessage("unknown-agent", why)
