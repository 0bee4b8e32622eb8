"""Housekeeping: repairs what no message will, every minute (correctness.md, "Housekeeping").

Acting on a stale read is safe: each act is one conditional write.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqswarm.backends.log import Log
from sqswarm.backends.runner import attempt
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.answer import expire_waits
from sqswarm.dispatcher.lifecycle.children import repair_waiting
from sqswarm.dispatcher.lifecycle.completion import Completion, apply_completions
from sqswarm.dispatcher.lifecycle.dead_letters import dead_letter_of_failure
from sqswarm.dispatcher.lifecycle.notify import GIVEN_UP_MS, owes_until_ms
from sqswarm.dispatcher.lifecycle.republish import republish, wake
from sqswarm.dispatcher.lifecycle.resume import resume_parked
from sqswarm.dispatcher.lifecycle.undo import (
    begin_undo_lost,
    error_of_lost,
    is_undone_first,
    publish_undo,
)
from sqswarm.dispatcher.middleware import tell_ended
from sqswarm.dispatcher.pause import read_paused
from sqswarm.schemas import protocol
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.park import is_worth_another_try, not_deployed
from sqswarm.schemas.paused import Paused
from sqswarm.schemas.task import DUE_SHARDS, TaskRecord
from sqswarm.schemas.writes import Applied, Item, Write

PUBLISHES_LIMIT = 12
"""Times a task is published again before it is given up: the waits double, so it takes days."""

_A_SHARD = 200
_PAGES = 20
_LONGEST_LOOK_MS = 15 * 60_000
_BROKEN_MS = 5 * 60_000
_PAUSED_LOOK_MS = 5 * 60_000


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one round did, in numbers of tasks."""

    due: int = 0
    republished: int = 0
    resumed: int = 0
    failed: int = 0
    parked: int = 0
    cleared: int = 0
    checked: int = 0
    broken: int = 0
    undoing: int = 0


class Housekeeper:
    """The swarm's housekeeping for one stage."""

    def __init__(self, connection: Connection, log: Log) -> None:
        """Repair the tasks of the connection's stage."""
        self._connection = connection
        self._log = log
        self._paused: Paused | None = None

    async def sweep(self) -> Sweep:
        """Look at every task that is due, once."""
        connection = self._connection
        self._paused = None
        done: Counter[str] = Counter()
        for _ in range(_PAGES):
            now = connection.runner.now_ms()
            found = await connection.runner.gather(
                [
                    connection.store.due(f"due#{n}", until_ms=now, limit=_A_SHARD)
                    for n in range(DUE_SHARDS)
                ]
            )
            items = await connection.store.read_many([key for keys in found for key in keys])
            done.update(
                await connection.runner.gather([self._repair(item) for item in items.values()])
            )
            done["due"] += len(items)
            # Each act takes its task out of the index or further on in it: the rest comes up.
            if all(len(keys) < _A_SHARD for keys in found):
                break
        swept = Sweep(**done)
        if done["due"]:
            self._log.info("housekeeping.swept", **vars(swept))
        return swept

    async def _repair(self, item: Item) -> str:
        try:
            return await self._repair_due(TaskRecord.from_item(item))
        except Exception as error:
            # One task that cannot be helped must not keep the others waiting, now or next time.
            self._log.error("housekeeping.failed", task=item["pk"], error=repr(error))
        if "due_at" in item:
            later_ms = self._connection.runner.now_ms() + _BROKEN_MS
            write = protocol.postpone_unread(item, due_at_ms=later_ms)
            failed = await attempt(self._connection.store.write(write))
            if isinstance(failed, Exception):
                self._log.error("housekeeping.failed", task=item["pk"], error=repr(failed))
        return "broken"

    async def _repair_due(self, record: TaskRecord) -> str:  # noqa: C901 - one a case
        now = self._connection.runner.now_ms()
        if record.due_at_ms is None or record.due_at_ms > now:
            return "checked"  # the index lags behind: it has moved on since
        if record.status.terminal:
            return await self.close(record)
        if record.awaited:
            return await self._expire_waits(record)
        if record.phase is Phase.WAITING:
            await repair_waiting(self._connection, record)
            # As long again as half of what it has waited: often at first, seldom for long joins.
            wait_ms = (now - record.updated_ms) // 2
            wait_ms = max(DUE_GRACE_MS, min(wait_ms, _LONGEST_LOOK_MS))
            return await self._postpone(record, now + wait_ms)
        if record.phase is Phase.SLEEPING:
            return await self._wake(record, now)
        entry = self._connection.catalogue.agents.get(record.agent)
        if record.phase is Phase.PARKED:
            return await self._look_again(record, entry)
        if record.lease_until_ms > now:
            return await self._postpone(record, record.lease_until_ms + DUE_GRACE_MS)
        if record.paused_now is not None:
            v = new_version(self._connection.runner.random_bits)
            return await self._set_aside(record, protocol.park_paused(record, v=v, now_ms=now))
        if entry is None:
            return await self._park(record, now)
        if record.attempt >= record.attempts_limit(entry.max_attempts):
            return await self.fail_exhausted(record, f"the worker was lost {record.attempt} times")
        if record.agent in await self._who_is_paused():
            return await self._postpone(record, now + _PAUSED_LOOK_MS)
        if record.publishes >= PUBLISHES_LIMIT:
            times = record.publishes + 1
            return await self.fail_exhausted(
                record, f"published {times} times, and no worker ended it"
            )
        return await self._republish(record, now)

    async def close(self, record: TaskRecord) -> str:
        """Do what an ended task still owes; a failed one leaves its dead letter."""
        # Where only somebody could not be told, its dead letter was put by whoever tried first.
        if record.status is Status.FAILED and record.error is not None and not record.untold:
            await self._put_dead_letter(record, record.error)
        entry = self._connection.catalogue.agents.get(record.agent)
        publishes = None if entry is None else entry.publishes
        completion = Completion.of(record, publishes=publishes)
        untold = await apply_completions(self._connection, [completion])
        if not untold:
            return "cleared"
        for task_id, error in untold.items():
            given_up = self._connection.runner.now_ms() - record.updated_ms >= GIVEN_UP_MS
            name = "notice.given_up" if given_up else "notice.failed"
            self._log.error(name, task_id=task_id, error=repr(error))
        return "checked"

    async def fail_exhausted(self, record: TaskRecord, why: str) -> str:
        """Fail a task whose budget is used up and that nobody holds, then do what it owes.

        One that has something to undo is undone first.
        """
        now = self._connection.runner.now_ms()
        if is_undone_first(record):
            write = begin_undo_lost(self._connection, record, why)
            if isinstance(await self._connection.store.write(write), Applied):
                await publish_undo(self._connection, [(record, write)])
                return "undoing"
            return "checked"
        error = await error_of_lost(self._connection, record, why)
        outcome = await self._connection.store.write(
            protocol.fail_exhausted(
                record,
                error=error,
                now_ms=now,
                expires_s=self._connection.expires_s(child=record.parent is not None),
                owes=True,  # its dead letter, at least
                owes_until_ms=owes_until_ms(self._connection, record),
            )
        )
        if not isinstance(outcome, Applied) or outcome.item is None:
            return "checked"
        ended = TaskRecord.from_item(outcome.item)
        lost = record.lease_until_ms > 0
        await tell_ended(ended, ended.status, now_ms=now, error=error, lost=lost)
        await self.close(ended)
        return "failed"

    async def _put_dead_letter(self, record: TaskRecord, error: JsonObject) -> None:
        entry = self._connection.catalogue.agents.get(record.agent)
        if entry is None:  # its queue is gone with the agent
            return
        queue = self._connection.names.dead_letter_queue(record.agent, ordered=entry.ordered)
        letter = dead_letter_of_failure(
            record.task_id,
            body=record.to_message().encode(),
            error=error,
            now_ms=self._connection.runner.now_ms(),
        )
        await self._connection.bus.dead_letter(queue, letter, group=record.ordering_key)

    async def _expire_waits(self, record: TaskRecord) -> str:
        if await expire_waits(self._connection, record):
            return "resumed"
        times = [one["timeoutAt"] for one in record.awaited.values() if "timeoutAt" in one]
        if record.wait_limit_ms is not None:
            times.append(record.wait_limit_ms)
        return await self._postpone(record, min(times, default=None))

    async def _wake(self, record: TaskRecord, now: int) -> str:
        if (record.wake_at_ms or 0) > now:
            return await self._postpone(record, record.wake_at_ms)
        return "resumed" if await wake(self._connection, record) else "checked"

    async def _look_again(self, record: TaskRecord, entry: CatalogueEntry | None) -> str:
        """Resume a parked task that a worker of code before today's may have parked, once."""
        if (
            entry is not None
            and record.paused_now is None
            and is_worth_another_try(
                parked_ms=record.updated_ms,
                deployed_ms=self._connection.catalogue.deployed_ms,
                timeout_s=entry.timeout_s,
            )
        ):
            return "resumed" if await resume_parked(self._connection, [record]) else "checked"
        return await self._postpone(record, None)

    async def _park(self, record: TaskRecord, now: int) -> str:
        """Park a task whose agent is not deployed: a deployment that has it again resumes it."""
        misfit = not_deployed(record.agent)
        write = protocol.park_unheld(
            record,
            v=new_version(self._connection.runner.random_bits),
            why=misfit.text(at_ms=now),
            message=f"parked: {misfit.why}",
            now_ms=now,
        )
        return await self._set_aside(record, write, why=misfit.why)

    async def _set_aside(self, record: TaskRecord, write: Write, *, why: str = "paused") -> str:
        if isinstance(await self._connection.store.write(write), Applied):
            self._log.warning("task.parked", task_id=record.task_id, why=why)
            return "parked"
        return "checked"

    async def _republish(self, record: TaskRecord, now: int) -> str:
        due_at_ms = now + (DUE_GRACE_MS << (record.publishes + 1))
        outcome = await self._connection.store.write(
            protocol.republish(record, due_at_ms=due_at_ms)
        )
        if outcome.item is None:
            return "checked"
        noted = TaskRecord.from_item(outcome.item)
        # Refused by its own first try, whose answer was lost: nobody else would publish it.
        ours = (noted.v, noted.publishes, noted.due_at_ms) == (
            record.v,
            record.publishes + 1,
            due_at_ms,
        )
        if not (isinstance(outcome, Applied) or ours):
            return "checked"
        await republish(self._connection, [noted])
        return "republished"

    async def _who_is_paused(self) -> Paused:
        """Return it, read at most once a round, or once more by those who ask at the same time."""
        if self._paused is None:
            self._paused = await read_paused(self._connection)
        return self._paused

    async def _postpone(self, record: TaskRecord, due_at_ms: int | None) -> str:
        await self._connection.store.write(protocol.postpone(record, due_at_ms=due_at_ms))
        return "checked"
