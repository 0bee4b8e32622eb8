"""Journal: what a task has recorded in earlier runs, and what this run meets of it.

Each step, child, question and sleep has a name within its task, made of what it is and how often
that was before; a replay finds it by that name. Two rules tell an agent that makes other calls
than before from one that merely reaches them in another order side by side with others: an
operation with nothing beside it may not be new where another is recorded, and no run may return
before it met all that is recorded. A run that breaks one of them ends there, and its task is parked
until code comes that fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from sqswarm.backends.redact import hide
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import AttemptCancelled, LeaseLost
from sqswarm.schemas.journal import Place, is_too_long
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.protocol import Lease, Ran
from sqswarm.schemas.signal import signal_key
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Item, Refused, Write, WriteOutcome
from sqswarm.workers.durable.journal_entry import JournalEntry, patch_name, read_past
from sqswarm.workers.durable.quiescence import TICKS, Quiescence
from sqswarm.workers.durable.undo import Undo
from sqswarm.workers.runtime.outcome import Fail, Misfitted, Suspended, Wait
from sqswarm.workers.runtime.worker_context import WorkerContext

_LOOK_EVERY_MS = 1000

_KEPT_S = 400 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A step of this run that failed; it is recorded once the agent has gone on past it."""

    name: str
    error: JsonObject
    at: Place
    ran: Ran


@dataclass(kw_only=True, eq=False)
class Operation:
    """One call on the context, on its way; `alone` until another is met beside it."""

    position: int
    alone: bool
    began_ms: int

    @property
    def place(self) -> Place:
        """Return where it stands now."""
        return Place(position=self.position, alone=self.alone)


class PastUnread(BaseException):
    """A run must know what is recorded, and it is not read yet: no agent catches it."""


class Journal(Quiescence):
    """One run's view of its task: `operation` opens each call, `suspend` ends the run in a wait."""

    def __init__(self, worker: WorkerContext, lease: Lease) -> None:
        """Open the journal of the task under `lease`; nothing is read before it is needed."""
        super().__init__()
        self.worker = worker
        self.lease = lease
        self.writing = asyncio.Lock()
        """Held while a step is recorded: two transactions on one task would only conflict."""
        self._recorded: dict[str, JournalEntry] | None = None
        self._patches: dict[str, bool] = {}
        """Patches that this run came by, and whether it goes by their new branches."""
        self._past_patches: frozenset[str] = frozenset()
        self._reading = asyncio.Lock()
        self._met: set[str] = set()
        self._failures: list[Failure] = []
        self.hung = 0
        """Threads of steps that ran past the run's end: Python cannot stop them."""
        self._uses: dict[str, int] = {}
        self._open: set[Operation] = set()
        self._entered = 0
        self._misfit: Misfit | None = None
        self._waits: list[Wait] = []
        self._at = Place(position=0, alone=True)
        self._looked_ms = 0
        self.exposed = lease.record.state if lease.record else None
        """What the agent has shown last, as it is recorded."""
        self._cancelled = False
        record = lease.record
        self._undoable = 0 if record is None else record.undoable
        undoing = None if record is None else record.undoing
        self.undo = None if undoing is None else Undo(undoing)
        """What this run has to undo: it replays what is recorded, and does nothing new."""

    def left_thread(self) -> None:
        """Note a step's thread that runs on by itself."""
        self.hung += 1

    def number(self, name: str) -> int:
        """Return how often `name` was used before in this run."""
        uses = self._uses.get(name, 0)
        self._uses[name] = uses + 1
        return uses

    @asynccontextmanager
    async def operation(
        self, names: Sequence[str]
    ) -> AsyncIterator[tuple[Operation, dict[str, JournalEntry]]]:
        """Open one operation under its names; gives it and what is recorded of them.

        The run ends here where it is new in a place that belongs to another, and one that undoes
        where it is new at all, unless it waits for what was sent before.
        """
        if self.closed:  # a `finally` of a run that waits: its clean-up must not run now
            raise self._over()
        operation = Operation(
            position=self._entered, alone=not self._open, began_ms=self.worker.now_ms()
        )
        self._entered += 1
        for other in self._open:
            other.alone = False
        self._open.add(operation)
        try:
            recorded = await self._load()
            found = {name: recorded[name] for name in names if name in recorded}
            self._met.update(names)
            new = [name for name in names if name not in found]
            if self.undo is not None and any(not self.came(name) for name in new):
                await self._stop_here()
            if new and operation.alone:
                await self._check(operation, new[0], recorded)
            yield operation, found
        finally:
            self._open.discard(operation)

    def came(self, name: str) -> bool:
        """Tell whether the record has the answer, or the value, that an operation waits for."""
        record = self.lease.record
        kind, _, rest = name.partition(" ")
        key = {"ask": rest, "receive": signal_key(rest)}.get(kind)
        return record is not None and key in record.answers

    def patched(self, name: str) -> bool:
        """Tell whether this run goes by a patch's new branch, once and for all.

        It does where an earlier run went by it, and where nothing is recorded of what comes after
        this place. Raises PastUnread where that is not known yet: `read` first, and run again.
        """
        if name not in self._patches:
            if self._recorded is None and self.has_past:
                raise PastUnread
            left = (self._recorded or {}).keys() - self._met
            self._patches[name] = name in self._past_patches or not left
        return self._patches[name]

    @property
    def new_patches(self) -> list[str]:
        """Return the patches whose new branches this run goes by and that are not recorded yet."""
        return [name for name, new in self._patches.items() if new and not self._has(name)]

    def _has(self, patch: str) -> bool:
        return patch in self._past_patches

    async def read(self) -> None:
        """Read what earlier runs have recorded."""
        past = await read_past(self.worker, self.lease) if self.has_past else {}
        self._recorded = {k: v for k, v in past.items() if not k.startswith(patch_name(""))}
        if self.undo is not None:
            self.undo.left = {k: v for k, v in self._recorded.items() if v.undo and not v.undone}
        self._past_patches = frozenset(
            k.removeprefix(patch_name("")) for k in past.keys() - self._recorded.keys()
        )

    def run_again(self) -> None:
        """Begin the run anew, which has recorded nothing so far."""
        self._reset()
        self._met.clear()
        self._uses.clear()
        self._open.clear()
        self._entered = 0

    async def has_recorded(self) -> bool:
        """Tell whether earlier runs of the task have recorded anything."""
        return self.has_past and bool(await read_past(self.worker, self.lease))

    async def knows(self, name: str) -> bool:
        """Tell whether an earlier run has recorded `name`; that is not to meet it."""
        return name in await self._load()

    @property
    def failed_steps(self) -> tuple[str, ...]:
        """Return the steps that have failed in this run and that it has not gone on past."""
        return tuple(one.name for one in self._failures)

    async def replays(self) -> bool:
        """Tell whether this run has not yet met all that earlier ones have recorded."""
        return bool((await self._load()).keys() - self._met)

    def failed(self, failure: Failure) -> None:
        """Remember a step's failure: whatever the run records after it records it too."""
        self._failures.append(failure)

    @property
    def undoable(self) -> int:
        """Return how many steps are recorded, as far as this run knows, that have an undo."""
        return self._undoable

    async def _stop_here(self) -> NoReturn:
        """Wait until the run is over: it does nothing new, it only undoes."""
        self.count_down()
        await self.forever()

    async def meet_undo(self, name: str, call: Callable[[], Any], *, retries: int) -> None:
        """Take what undoes a recorded step; the run stands still once it has met all of it."""
        if self.undo is None:
            return
        self.undo.meet(name, call, retries=retries)
        if not self.undo.missing:
            self.suspended.set()
            await self.forever()

    async def record(self, *writes: Write, undo: bool = False) -> list[WriteOutcome]:
        """Record `writes` of steps under the fence, with the failures the agent went on past.

        `undo` where they are of one step that has an undo: the task counts those. Returns the
        outcomes of `writes`. Raises LeaseLost where the task is another's by now, or this run is
        over.
        """
        worker, lease = self.worker, self.lease
        async with self.machinery(), self.writing:
            failures = list(self._failures)
            if failures:
                # One that nobody catches ends the run within these turns of the loop; then it is
                # not recorded, and the next attempt tries that step again.
                for _ in range(TICKS):
                    await asyncio.sleep(0)
            if self.closed:
                raise self._over()
            kept = [
                protocol.record_failure(
                    lease, one.name, one.error, at=one.at, ttl_s=self.expires_s(), ran=one.ran
                )
                for one in failures
            ]
            patches = self.new_patches
            kept += [protocol.record_patch(lease, name, ttl_s=self.expires_s()) for name in patches]
            number = self._undoable + 1 if undo else None
            if number is not None:
                writes = tuple(protocol.with_undo(one, number) for one in writes)
            fence = protocol.fence(lease, undoable=number)
            held, *outcomes = await worker.store.transact([fence, *writes, *kept])
            if isinstance(held, Refused):
                raise self.lost(held.item)
            told = outcomes[len(writes) :]
            good = [not isinstance(outcome, Refused) for outcome in told]
            left = [one for one, stands in zip(kept, good, strict=True) if stands]
            if len(left) < len(kept):
                # Some stand there already, so nothing happened: once more without those.
                _, *outcomes = await worker.store.transact([fence, *writes, *left])
            self._undoable = number or self._undoable
            self._failures = [one for one in self._failures if one not in failures]
            self._past_patches |= set(patches)
        return outcomes[: len(writes)]

    def ran(self, operation: Operation) -> Ran:
        """Return when an operation ran that is over now."""
        return Ran(began_ms=operation.began_ms, ended_ms=self.worker.now_ms())

    def expires_s(self) -> int:
        """Return when a step's record may be forgotten: not before the longest sleep is over."""
        return self.worker.now_ms() // 1000 + _KEPT_S

    async def _check(
        self, operation: Operation, name: str, recorded: dict[str, JournalEntry]
    ) -> None:
        for other, was in recorded.items():
            if other not in self._met and was.alone and was.position <= operation.position:
                await self.misfits(other_than_recorded(operation.position, other, name))

    async def misfits(self, misfit: Misfit) -> NoReturn:
        """End the run, whose code does otherwise than is recorded.

        It is cancelled, as one that waits: what it could catch it could go on past.
        """
        self._misfit = self._misfit or misfit
        self.suspended.set()
        await self.forever()

    async def misfit(self) -> Misfit | None:
        """Return what a run that is about to end did otherwise than is recorded."""
        if self._misfit is None and self.has_past:
            left = [
                (was.position, name)
                for name, was in (await self._load()).items()
                if name not in self._met
            ]
            if left:
                position, name = min(left)
                self._misfit = Misfit(
                    why=f"this run ended without {name!r}, which is recorded as operation "
                    f"{position + 1}",
                    place=position + 1,
                    recorded=name,
                )
        return self._misfit

    @property
    def met_misfit(self) -> Misfit | None:
        """Return what the run took otherwise than is recorded, as far as it has come."""
        return self._misfit

    @property
    def has_waited(self) -> bool:
        """Tell whether earlier runs of the task have waited for something."""
        return self.lease.record is not None and self.lease.record.waits is not None

    @property
    def has_past(self) -> bool:
        """Tell whether earlier runs of the task may have recorded something."""
        record = self.lease.record
        return record is not None and (
            record.attempt > 1 or record.waits is not None or record.undo is not None
        )

    async def _load(self) -> dict[str, JournalEntry]:
        if self._recorded is None and not self.has_past:
            self._recorded = {}
        if self._recorded is not None:
            return self._recorded
        async with self.machinery(), self._reading:
            if self._recorded is None:
                await self.read()
        return self._recorded or {}

    async def suspend(self, operation: Operation, waits: Sequence[Wait]) -> NoReturn:
        """Wait, for ever as far as this run is concerned: it ends once nothing else moves.

        The run's coroutine is then cancelled, which no `except Exception` can swallow.
        """
        if self.undo is not None:  # what it waited for does not matter any more
            await self._stop_here()
        record = self.lease.record
        if record is not None and record.waits is not None and is_too_long(record.waits):
            message = "the task has waited more often than its record can hold"
            raise Fail(message, type="TooManyWaits")
        if self._failures:
            await self.record()
        # Of several that wait together, the place is that of the first.
        first = min(operation.position, self._at.position)
        together = Place(position=first, alone=False)
        self._at = together if self._waits else operation.place
        self._waits += waits
        self.count_down()
        await self.forever()

    def _over(self) -> LeaseLost:
        return LeaseLost(f"this run of task {self.lease.task_id} is over")

    def outcome(self) -> Suspended | Misfitted:
        """Return what the run waits for, after `suspended`; raises what broke it."""
        if self._misfit is not None:
            return Misfitted(misfit=self._misfit)
        if self.broke is not None:
            raise self.broke
        patches = tuple(self.new_patches)
        return Suspended(waits=tuple(self._waits), at=self._at, patches=patches)

    def lost(self, item: Item | None) -> LeaseLost:
        """Return the error for an attempt whose write was refused, given what stands there."""
        task_id = self.lease.task_id
        if item is not None and _is_cancelled(TaskRecord.from_item(item)):
            self._cancelled = True
            return AttemptCancelled(f"task {task_id} was cancelled")
        return LeaseLost(f"task {task_id} is no longer this worker's")

    async def is_cancelled(self) -> bool:
        """Tell whether the task was cancelled; looks at the record at most once a second."""
        now = self.worker.now_ms()
        if not self._cancelled and now - self._looked_ms >= _LOOK_EVERY_MS:
            self._looked_ms = now
            async with self.machinery():
                item = await self.worker.store.read(self.lease.key)
            if item is not None:
                self._cancelled = _is_cancelled(TaskRecord.from_item(item))
        return self._cancelled


def _is_cancelled(record: TaskRecord) -> bool:
    """Tell whether a task was cancelled, though it may have to be undone first."""
    undoing = record.undoing
    return record.status is Status.CANCELLED or (undoing is not None and undoing.error is None)


def other_than_recorded(position: int, recorded: str, got: str) -> Misfit:
    """Return what is wrong with a run whose operation number `position` (from 0) is another."""
    return Misfit(
        why=f"this run's operation {position + 1} is {got!r}, where {recorded!r} is recorded",
        place=position + 1,
        recorded=recorded,
        got=got,
    )


def taken_otherwise(position: int, recorded: str, error: ValueError) -> Misfit:
    """Return what is wrong with a run that takes something else for what is recorded."""
    return Misfit(
        why=hide(f"what is recorded of {recorded!r} is not what this code takes: {error}"),
        place=position + 1,
        recorded=recorded,
    )
