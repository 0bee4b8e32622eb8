"""Sweep of the dead-letter queues: what SQS itself gave up is ended or sent on.

A dead letter with the attribute `reason` was put there by us and stays for people. One without was
moved by SQS, after its receives were used up: mostly by workers that died.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from sqswarm.backends.log import Log
from sqswarm.backends.ports.bus import Delivery, OutgoingDeadLetter
from sqswarm.backends.ports.store import all_written
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.dead_letters import (
    DeadLetter,
    dead_letter_of_failure,
    dead_letter_of_poison,
    dead_letter_queue,
    receive_dead_letters,
)
from sqswarm.dispatcher.lifecycle.join import collect
from sqswarm.dispatcher.lifecycle.notify import owes_until_ms
from sqswarm.dispatcher.lifecycle.sweep import PUBLISHES_LIMIT, Housekeeper
from sqswarm.dispatcher.middleware import tell_ended
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import Ended, activity_write
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import NotStorable, PoisonMessage, UnknownAgent
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.lifecycle import ASIDE, Status
from sqswarm.schemas.message import Message, decode
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord, contradiction, task_key
from sqswarm.schemas.writes import Applied

_AN_AGENT = 100
_ROUNDS = 4


class DeadLetterSweeper:
    """The part of housekeeping that looks through the dead-letter queues."""

    def __init__(self, connection: Connection, log: Log, housekeeper: Housekeeper) -> None:
        """Sweep the dead-letter queues of the connection's stage."""
        self._connection = connection
        self._log = log
        self._housekeeper = housekeeper

    async def sweep(self) -> dict[str, int]:
        """Look at up to 100 dead letters of each agent; return what was done, counted."""
        done: Counter[str] = Counter()
        rounds = [self._agent(entry) for entry in self._connection.catalogue.agents.values()]
        for counted in await self._connection.runner.gather(rounds):
            done += counted
        if done:
            self._log.info("dead-letters.swept", **done)
        return dict(done)

    async def _agent(self, entry: CatalogueEntry) -> Counter[str]:
        done: Counter[str] = Counter()
        queue = dead_letter_queue(self._connection, entry.name)
        try:
            async with receive_dead_letters(
                self._connection, entry.name, limit=_AN_AGENT, unexplained=True
            ) as letters:
                explained = {letter.task_id for letter in letters if letter.reason is not None}
                for letter in letters:
                    if letter.reason is None:
                        done[await self._look_at(entry, queue, letter, explained)] += 1
        except Exception as error:
            self._log.error("dead-letters.failed", agent=entry.name, error=repr(error))
        return done

    async def _look_at(
        self,
        entry: CatalogueEntry,
        queue: str,
        letter: DeadLetter,
        explained: Collection[str | None],
    ) -> str:
        """Deal with one dead letter; what is wrong with it keeps no other waiting."""
        try:
            try:
                resolved = await self._resolve(entry, letter, explained)
            except NotStorable as error:
                unfit = PoisonMessage("not-storable", str(error))
                await self._give_reason(entry, letter, unfit)
                resolved = True
            if not resolved:
                return "left"
            await self._connection.bus.delete(queue, [letter.delivery.receipt])
        except Exception as error:
            self._log.error("dead-letter.failed", task_id=letter.task_id, error=repr(error))
            return "failed"
        return "taken"

    async def _resolve(  # noqa: C901 - one branch a case of correctness.md
        self, entry: CatalogueEntry, letter: DeadLetter, explained: Collection[str | None]
    ) -> bool:
        """Deal with a dead letter of SQS's own; False where a worker runs its task just now."""
        if letter.message is None or letter.task_id is None:
            await self._give_reason(entry, letter, _why_unread(letter.delivery.body, entry.name))
            return True
        if entry.joins_events_of(letter.message.topic or ""):
            return await self._collect(entry, letter, letter.message)
        for _ in range(_ROUNDS):
            item = await self._connection.store.read(task_key(entry.name, letter.task_id))
            if item is None:
                if await self._resolve_unrecorded(entry, letter, letter.message, letter.task_id):
                    return True
                continue
            record = TaskRecord.from_item(item)
            if poison := contradiction(letter.message, record, agent=entry.name):
                await self._give_reason(entry, letter, poison)
                return True
            if record.status.terminal:
                await self._close(record, explained)
                return True
            if record.status is Status.INPUT_REQUIRED or record.phase in ASIDE:
                return True  # what ends its wait publishes it anew
            now = self._connection.runner.now_ms()
            if record.lease_until_ms > now:
                return False
            used_up = record.attempt >= record.attempts_limit(entry.max_attempts)
            if used_up or record.publishes >= PUBLISHES_LIMIT:
                lost = max(record.attempt, 1)
                why = f"worker lost {lost} times"
                if await self._housekeeper.fail_exhausted(record, why) in {"failed", "undoing"}:
                    return True
                continue
            marked = await self._connection.store.write(protocol.mark_due(record, due_at_ms=now))
            if isinstance(marked, Applied):
                return True
        return False

    async def _close(self, record: TaskRecord, explained: Collection[str | None]) -> None:
        # One dead letter with the reason is enough, where it is in sight.
        if record.due_at_ms is not None or record.task_id not in explained:
            await self._housekeeper.close(record)
        if record.durability is Durability.LEAN and record.status is Status.COMPLETED:
            await self._list(record)

    async def _list(self, record: TaskRecord) -> None:
        """List a lean task that completed on its last delivery, after which nobody was thanked.

        What would have told of it may be lost, and nobody runs it again. Told twice it stands in
        the lists once.
        """
        entry = Ended(
            task_id=record.task_id,
            principal=record.principal,
            status=record.status,
            error_type=None,
            at_ms=record.updated_ms,
            wait_ms=0,
            run_ms=0,
            attempt=record.attempt,
            tags=record.tags,
        )
        told = activity_write(
            record.agent,
            [entry],
            at_ms=record.updated_ms,
            random=new_version(self._connection.runner.random_bits),
            expires_s=self._connection.expires_s(),
        )
        all_written(await self._connection.store.write_each([told]))

    async def _collect(self, entry: CatalogueEntry, letter: DeadLetter, message: Message) -> bool:
        """Add an event to its join, which no worker could."""
        [failed] = await collect(self._connection, entry, [message])
        if isinstance(failed, PoisonMessage):
            await self._give_reason(entry, letter, failed)
        elif failed is not None:
            raise failed
        return True

    async def _resolve_unrecorded(
        self, entry: CatalogueEntry, letter: DeadLetter, message: Message, task_id: str
    ) -> bool:
        """Fail a lean task; record another that nobody could acquire, so that it begins anew.

        The one's attempts are its deliveries. The other had none, as when the table was out of
        reach for long: the sweep publishes it again, as often as any recorded task.
        """
        own = self._connection.blobs.address(message.arguments_key)
        if poison := message.unbacked(payload_ref=own):
            await self._give_reason(entry, letter, poison)
            return True
        if entry.durability is Durability.LEAN:
            return await self._fail_unrecorded(entry, letter, message, task_id)
        record = self._unrecorded(entry, letter, message, Status.WORKING)
        due = replace(record, due_at_ms=self._connection.runner.now_ms())
        return isinstance(await self._connection.store.write(protocol.create(due)), Applied)

    async def _fail_unrecorded(
        self, entry: CatalogueEntry, letter: DeadLetter, message: Message, task_id: str
    ) -> bool:
        now = self._connection.runner.now_ms()
        received = letter.delivery.receive_count
        error = error_object("WorkerLost", "its worker was lost on every delivery")
        record = self._unrecorded(entry, letter, message, Status.FAILED)
        due_at_ms = owes_until_ms(self._connection, record)
        outcome = await self._connection.store.write(
            protocol.fail_unrecorded(
                record,
                error,
                now_ms=now,
                expires_s=self._connection.expires_s(),
                owes_until_ms=due_at_ms,
            )
        )
        if not isinstance(outcome, Applied):
            return False
        await tell_ended(record, Status.FAILED, now_ms=now, error=error, lost=True)
        put = dead_letter_of_failure(task_id, body=letter.delivery.body, error=error, now_ms=now)
        await self._put(entry, replace(put, attempts=received), letter.delivery)
        if due_at_ms is not None:
            ended = replace(record, due_at_ms=due_at_ms, error=error, untold=1)
            await self._housekeeper.close(ended)
        return True

    def _unrecorded(
        self, entry: CatalogueEntry, letter: DeadLetter, message: Message, status: Status
    ) -> TaskRecord:
        return TaskRecord.from_message(
            message,
            agent=entry.name,
            v=new_version(self._connection.runner.random_bits),
            durability=entry.durability,
            status=status,
            now_ms=self._connection.runner.now_ms(),
            created_ms=letter.delivery.sent_ms,
        )

    async def _give_reason(
        self, entry: CatalogueEntry, letter: DeadLetter, poison: PoisonMessage
    ) -> None:
        now = self._connection.runner.now_ms()
        put = dead_letter_of_poison(letter.delivery.body, poison, now_ms=now)
        await self._put(entry, put, letter.delivery)

    async def _put(
        self, entry: CatalogueEntry, put: OutgoingDeadLetter, delivery: Delivery
    ) -> None:
        queue = dead_letter_queue(self._connection, entry.name)
        await self._connection.bus.dead_letter(queue, put, group=delivery.group)


async def dead_letter_unrouted(
    connection: Connection, log: Log, deliveries: Sequence[Delivery]
) -> list[str]:
    """Put messages that no agent's filter wanted aside, with the reason.

    Returns the message ids that could not be and must be delivered again.
    """
    keep: list[str] = []
    for delivery in deliveries:
        poison = _poison_of(connection, delivery)
        log.error("message.poisoned", reason=poison.reason, detail=str(poison))
        now = connection.runner.now_ms()
        letter = dead_letter_of_poison(delivery.body, poison, now_ms=now)
        try:
            queue = connection.names.dead_letter_queue("unrouted")
            await connection.bus.dead_letter(queue, letter, group=None)
        except Exception as error:
            log.error("dead-letter.failed", error=repr(error))
            keep.append(delivery.message_id)
    return keep


def _why_unread(body: str, agent: str) -> PoisonMessage:
    try:
        name = decode(body).name
    except PoisonMessage as poison:
        return poison
    return PoisonMessage("unknown-agent", f"the message is for {name!r}, in {agent!r}'s queue")


def _poison_of(connection: Connection, delivery: Delivery) -> PoisonMessage:
    name = delivery.attributes.get("agent")
    try:
        message = decode(delivery.body)
    except PoisonMessage as poison:
        return poison
    if name is None:
        return PoisonMessage("no-agent", "the message has no attribute `agent`")
    try:
        connection.catalogue.agent(message.name)
    except UnknownAgent as error:
        return PoisonMessage("unknown-agent", str(error))
    why = f"the attribute `agent` says {name!r}, the message {message.name!r}"
    return PoisonMessage("unknown-agent", why)
