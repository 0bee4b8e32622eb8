"""Replay: a recorded task against the code of today, before it is deployed.

Whatever is recorded is not done again; the first thing that is not recorded ends the replay. So
nothing is charged, sent or asked, and what code no longer fits is told with its place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqswarm.backends.log import Log
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher import export_journal as exporting
from sqswarm.dispatcher.client import Swarm
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.journal import agent_of_child, child_id
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.results import unwrap
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.writes import Key
from sqswarm.testing.memory_stage import MemoryStage
from sqswarm.testing.operations import operation_name
from sqswarm.testing.virtual_loop import LoopClock, VirtualLoop
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.durable.journal import Journal, Operation, other_than_recorded
from sqswarm.workers.durable.journal_entry import JournalEntry
from sqswarm.workers.runtime.execute import AgentExecutor
from sqswarm.workers.runtime.outcome import (
    Broke,
    Failed,
    Misfitted,
    NonDeterministic,
    Outcome,
    Returned,
    SleepWait,
    Suspended,
    UndoBroke,
    Undone,
)

_ANSWERED = ("ask ", "receive ")


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """How far a journal leads the code: to its end, or to what it does next.

    `returned` tells whether it came to its end, `result` is what it returned there, and `error`
    what it ended with else. `next` is the first operation that is not recorded (`"step charge"`);
    `waits` what it waits for as recorded.
    """

    returned: bool = False
    result: Any = None
    error: str | None = None
    next: str | None = None
    waits: tuple[str, ...] = ()


def export_journal(swarm: Swarm, task_id: str) -> JsonObject:
    """Return what a task has recorded, as JSON: of a memory swarm, or of one that is deployed.

    Raises TaskNotFound where this principal has no such task.
    """
    connection = swarm._swarm._connection  # noqa: SLF001 - the facade has no other use for it
    return run_straight(exporting.export_journal(connection, task_id))


def replay(journal: JsonObject, agent: AnyAgent) -> Replayed:
    """Run `agent`'s code of today along a journal, and tell how far that leads it.

    Raises NonDeterministic, which names the place, where the code does otherwise than is
    recorded; UsageError for what is no journal.
    """
    if journal.get("journal") != exporting.VERSION:
        message = "this is no journal that can be replayed"
        raise UsageError(message, hint="Write one with export_journal(swarm, task_id).")
    clock = LoopClock()
    loop = VirtualLoop(clock)
    try:
        return _told(*loop.run_until_complete(_replay(journal, agent, clock)))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def _replay(
    journal: JsonObject, agent: AnyAgent, clock: LoopClock
) -> tuple[Outcome, _ReplayJournal]:
    stage = MemoryStage(agent, clock=clock)
    for item in (journal["task"], *journal["steps"], *journal["children"]):
        stage.store.items[Key(pk=item["pk"], sk=item["sk"])] = item
    payloads = _Payloads()
    payloads.objects = {ref: text.encode() for ref, text in journal["payloads"].items()}
    record = _as_of_its_next_attempt(TaskRecord.from_item(journal["task"]))
    clock.to(record.updated_ms)
    worker = stage.worker(agent)
    worker = replace(worker, connection=replace(worker.connection, blobs=payloads))
    lease = Lease(
        agent=record.agent,
        task_id=record.task_id,
        v=record.v,
        attempt=record.attempt,
        until_ms=clock.now_ms() + 1000 * agent.spec.lease_s,
        durability=record.durability,
        record=record,
    )
    kept = _ReplayJournal(worker, lease)
    context = TaskContext(
        task_id=record.task_id,
        attempt=record.attempt,
        principal=record.principal,
        log=Log.to(stage.log),
        worker=worker,
        session_id=record.session_id,
        parent=record.parent,
        deadline_s=clock.monotonic() + agent.spec.timeout_s,
        journal=kept,
    )
    arguments = record.arguments
    text = "{}"
    if arguments is not None:
        text = arguments.inline or journal["payloads"].get(arguments.ref, "{}")
    executor = AgentExecutor(agent, slots=1)
    return await executor.execute(loads(text), context, timeout_s=float(agent.spec.timeout_s)), kept


def _as_of_its_next_attempt(record: TaskRecord) -> TaskRecord:
    return replace(
        record,
        status=Status.WORKING,
        phase=Phase.RUN,
        attempt=max(record.attempt, 1) + 1,
        undo=None,  # a replay does nothing, and undoes nothing
    )


def _told(outcome: Outcome, journal: _ReplayJournal) -> Replayed:
    match outcome:
        case Returned():
            return Replayed(
                returned=True, result=unwrap(loads(outcome.text), wrapped=outcome.wrapped)
            )
        case Misfitted(misfit=misfit):
            raise NonDeterministic(misfit)
        case Undone() | UndoBroke():
            message = "a replay undoes nothing"
            raise AssertionError(message)
        case Failed() | Broke():
            return Replayed(error=f"{outcome.error_type}: {outcome.message}")
        case Suspended():
            waits = tuple(
                f"sleep {wait.name}" if isinstance(wait, SleepWait) else "an answer"
                for wait in outcome.waits
            )
            return Replayed(next=journal.next, waits=(*waits, *journal.waits))


class _Payloads(MemoryBlobs):
    """The bucket that a journal has brought along, whatever it is called."""

    async def get(self, address: str) -> bytes | None:
        """Return what lies there."""
        return self.objects.get(address)


class _ReplayJournal(Journal):
    """A journal whose first operation that is not recorded ends the run."""

    next: str | None = None
    waits: tuple[str, ...] = ()

    async def replays(self) -> bool:
        """Tell that nothing is to be shown."""
        return True

    @asynccontextmanager
    async def operation(
        self, names: Sequence[str]
    ) -> AsyncIterator[tuple[Operation, dict[str, JournalEntry]]]:
        """Open one operation under its names."""
        async with super().operation(names) as (operation, found):
            new = next((n for n in names if n not in found and not self.came(n)), None)
            if new is not None:
                self.next = self.next or operation_name(new)
                self.count_down()
                await self.forever()
            if found:
                await self._check_order(found, await self._load())
            unanswered = [n for n in names if n.startswith(_ANSWERED) and not self.came(n)]
            unfinished = await self._unfinished(found)
            if unanswered or unfinished:
                self.waits += (*unanswered, *unfinished)
                self.count_down()
                await self.forever()
            yield operation, found

    async def _check_order(
        self, found: dict[str, JournalEntry], recorded: dict[str, JournalEntry]
    ) -> None:
        """Refuse what comes before something that is recorded before it.

        A task that has recorded both would not mind; one that is between the two would.
        """
        name, entry = min(found.items(), key=lambda one: one[1].position)
        for other, was in recorded.items():
            if other not in self._met and was.alone and was.position < entry.position:
                await self.misfits(other_than_recorded(was.position, other, name))

    async def _unfinished(self, found: dict[str, JournalEntry]) -> list[str]:
        """Return the children that had not ended when the journal was written."""
        record = self.lease.record
        wanted = {
            name.removeprefix("child "): one.of or self.lease.task_id
            for name, one in found.items()
            if name.startswith("child ")
        }
        if not wanted or record is None:
            return []
        items = await self.worker.store.read_many(
            [task_key(agent_of_child(key), child_id(of, key)) for key, of in sorted(wanted.items())]
        )
        return [
            f"child {TaskRecord.from_item(item).agent}"
            for item in items.values()
            if not TaskRecord.from_item(item).status.terminal
        ]
