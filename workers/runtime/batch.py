"""Runtime: acquire → run → settle, for a batch of deliveries of one agent's queue.

The same code runs behind the Lambda handler and in the container worker. What it does with a
delivery follows correctness.md; pure functions decide (decide.py), this file carries
the decisions out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqswarm.backends.ports.bus import Delivery
from sqswarm.backends.redact import hide
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import LeaseLost, PayloadTooLarge, PoisonMessage
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.json import JsonObject, encodable, loads
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.payload import GONE, check_size
from sqswarm.schemas.protocol import Lease
from sqswarm.schemas.task import TaskRecord, iso, task_key
from sqswarm.schemas.writes import Applied
from sqswarm.workers.durable.context import Report, TaskContext
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.runtime.acquire import (
    Disposition,
    acquire,
    attempts_limit,
    come_again,
    put_poison_aside,
)
from sqswarm.workers.runtime.decide import decide
from sqswarm.workers.runtime.execute import AgentExecutor, NotLoaded
from sqswarm.workers.runtime.heartbeat import WorkerStopping, heartbeat
from sqswarm.workers.runtime.hooks import Hooks, note_outcome
from sqswarm.workers.runtime.job import Job, job_of
from sqswarm.workers.runtime.outcome import Broke, Failed, Misfitted, Outcome, Returned, UndoBroke
from sqswarm.workers.runtime.rate_limit import rate_limit
from sqswarm.workers.runtime.settle import Run, settle_runs
from sqswarm.workers.runtime.suspend import stand_back
from sqswarm.workers.runtime.versions import keep_mine
from sqswarm.workers.runtime.worker_context import WorkerContext

_STATUS_MESSAGE = 1000
"""Characters of what an agent tells of its progress that are kept."""

_COMPANY_S = 0.01
_COMPANY_SHARE = 0.08
"""How long a finished result waits for company, so that one call records both: this, and this share
of its run. With the call itself it is recorded within 20 ms + 10 % (correctness.md, Amendment 6).
"""


@dataclass(kw_only=True)
class BatchResult:
    """What became of a batch. `keep` are the message ids that must be delivered again."""

    keep: list[str] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)
    hung: bool = False


class Runtime:
    """One agent's worker: hand it deliveries, it hands back what to do with their messages."""

    def __init__(
        self,
        worker: WorkerContext,
        *,
        slots: int | None = None,
        executor: AgentExecutor | NotLoaded | None = None,
    ) -> None:
        """Prepare for the worker's agent: compiles its signature.

        `slots` is the most tasks that are handed in at a time (default: the agent's batch).
        `executor` stands in for an agent that cannot be loaded.
        """
        self._worker = worker
        if executor is None:
            if worker.agent is None:
                message = "a worker without an agent needs an executor"
                raise TypeError(message)
            executor = AgentExecutor(worker.agent, slots=slots or worker.spec.batch_size)
        self._executor = executor
        self._stopping: asyncio.Event | None = None

    def keep_leases(self, stopping: asyncio.Event) -> None:
        """From now on renew the leases of what runs, and hand them back once `stopping` is set."""
        self._stopping = stopping

    @property
    def hung(self) -> int:
        """Return how many threads ran past their time-out."""
        return self._executor.hung

    async def handle(
        self,
        deliveries: Sequence[Delivery],
        *,
        budget_s: float | None = None,
        request_id: str = "",
        tell: Callable[[str, Disposition], None] | None = None,
    ) -> BatchResult:
        """Carry a batch through. Returns when each delivery's disposition is known; raises nothing.

        `budget_s` is how long this worker may still run (None: as long as the agent may).
        `request_id` names the invocation in the tasks' history, where there is one. `tell` hears
        each message's disposition as soon as it is known.
        """
        ends = None if budget_s is None else self._worker.runner.monotonic() + budget_s
        lanes: dict[str, list[Job]] = {}
        dispositions = _Dispositions(tell)
        hooks = Hooks(self._worker)
        poisoned: list[tuple[Delivery, PoisonMessage]] = []
        for delivery in deliveries:
            try:
                job = job_of(
                    delivery,
                    self._worker.spec,
                    token=new_version(self._worker.runner.random_bits),
                    request_id=request_id,
                )
            except PoisonMessage as poison:
                poisoned.append((delivery, poison))
            else:
                lanes.setdefault(self._lane(job), []).append(job)
        aside = asyncio.ensure_future(self._put_aside(poisoned, dispositions))
        while lanes and not (self._stopping and self._stopping.is_set()):
            wave = [jobs[0] for jobs in lanes.values()]
            last = all(len(jobs) == 1 for jobs in lanes.values())
            await self._carry(wave, ends, dispositions, hooks, last=last)
            lanes = {
                lane: jobs[1:]
                for lane, jobs in lanes.items()
                if len(jobs) > 1 and not self._blocks(dispositions[jobs[0].delivery.message_id])
            }
        await aside
        result = BatchResult(hung=self._executor.hung > 0)
        for delivery in deliveries:
            disposition = dispositions.get(delivery.message_id)
            if disposition is None:
                # It stands behind a failed one of its group, which SQS keeps locked while that one
                # is hidden: without this, it would come back only after its own long visibility.
                await self._follow(delivery)
                dispositions[delivery.message_id] = Disposition.KEEP
                result.keep.append(delivery.message_id)
            elif disposition is Disposition.KEEP:
                result.keep.append(delivery.message_id)
            else:
                result.delete.append(delivery.receipt)
        left_s = None if ends is None else ends - self._worker.runner.monotonic()
        await hooks.batch_over(messages=len(deliveries), poisoned=len(poisoned), left_s=left_s)
        return result

    def _lane(self, job: Job) -> str:
        """Return what may not run side by side: one task twice, or one ordering key."""
        if self._worker.spec.ordered and job.delivery.group:
            return job.delivery.group
        return job.task_id

    async def _follow(self, delivery: Delivery) -> None:
        try:
            await self._worker.bus.hide(self._worker.queue, delivery.receipt, seconds=0)
        except Exception as error:
            self._worker.log.warning("hide.failed", error=repr(error))

    def _blocks(self, disposition: Disposition) -> bool:
        return self._worker.spec.ordered and disposition is Disposition.KEEP

    async def _put_aside(
        self,
        poisoned: Sequence[tuple[Delivery, PoisonMessage]],
        dispositions: _Dispositions,
    ) -> None:
        """Put poison aside at once, while its neighbours run."""
        for delivery, poison in poisoned:
            dispositions[delivery.message_id] = await put_poison_aside(
                self._worker, delivery, poison
            )

    async def _carry(
        self,
        jobs: Sequence[Job],
        ends: float | None,
        dispositions: _Dispositions,
        hooks: Hooks,
        *,
        last: bool,
    ) -> None:
        """Carry jobs of different tasks through, side by side; `last` where no more will come."""
        if self._worker.spec.joins is not None:
            jobs = await self._collect(jobs, dispositions)
        left = {job.delivery.message_id for job in jobs}
        try:
            jobs = await self._limited(await keep_mine(self._worker, jobs), dispositions, left)
            jobs = await self._on_time(jobs)
            answers = await acquire(self._worker, jobs)
        except Exception as error:
            self._worker.log.error("acquire.failed", error=repr(error), tasks=len(jobs))
            await self._worker.runner.gather([come_again(self._worker, job) for job in jobs])
            await self._give_back(jobs)
            dispositions.update(dict.fromkeys(left, Disposition.KEEP))
            return
        dispositions.update(
            dict.fromkeys(left - {job.delivery.message_id for job in jobs}, Disposition.KEEP)
        )
        await self._give_back(
            [job for job, told in zip(jobs, answers, strict=True) if isinstance(told, Disposition)]
        )
        running: set[asyncio.Task[Run | Disposition]] = set()
        jobs_of: dict[asyncio.Task[Run | Disposition], Job] = {}
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, Disposition):
                dispositions[job.delivery.message_id] = answer
            else:
                leased = hooks.told(job.of_record(answer.record), answer)
                task = hooks.start(leased, self._run(leased, answer, ends, hooks))
                jobs_of[task] = leased
                running.add(task)
        finished = _Finished(self._worker.runner.monotonic)
        settling: list[asyncio.Task[None]] = []

        def nothing_more() -> bool:
            return last and not (running or finished.runs)

        while running:
            done, _ = await asyncio.wait(
                running, timeout=finished.left_s(), return_when=asyncio.FIRST_COMPLETED
            )
            running -= done
            for task in done:
                run = task.result()
                if isinstance(run, Disposition):
                    dispositions[jobs_of[task].delivery.message_id] = run
                    hooks.over(jobs_of[task])
                    settling.append(asyncio.create_task(self._give_back([jobs_of[task]])))
                else:
                    finished.add(run)
            if finished.due or (finished.runs and not running):
                # Beside the others, which end meanwhile.
                work = self._settle(finished.take(), dispositions, hooks, last=nothing_more)
                settling.append(asyncio.create_task(work))
        await asyncio.gather(*settling)
        await hooks.attempts_told()

    async def _collect(self, jobs: Sequence[Job], dispositions: _Dispositions) -> list[Job]:
        """Add events to their joins; return the jobs that are none."""
        from sqswarm.workers.runtime.join import collect_parts

        dispositions.update(await collect_parts(self._worker, jobs))
        return [job for job in jobs if job.delivery.message_id not in dispositions]

    async def _settle(
        self,
        runs: Sequence[Run],
        dispositions: _Dispositions,
        hooks: Hooks,
        *,
        last: Callable[[], bool],
    ) -> None:
        """Settle runs that ended at about one time."""
        told = await settle_runs(self._worker, runs, last=last)
        ids = [run.job.delivery.message_id for run in runs]
        dispositions.update(dict(zip(ids, told, strict=True)))
        for one in runs:
            hooks.over(one.job)
        await self._give_back([run.job for run in runs])

    async def _limited(
        self, jobs: Sequence[Job], dispositions: _Dispositions, left: set[str]
    ) -> Sequence[Job]:
        """Return the jobs that have slots where the agent has a limit; the others wait.

        Takes out of `left` those that wait by a new message.
        """
        limit = self._worker.spec.limit
        if limit is None or not jobs:
            return jobs
        from sqswarm.workers.runtime.limit import take_slots

        admitted = await take_slots(self._worker, limit, jobs)
        ids = {job.delivery.message_id for job in admitted.sent_anew}
        dispositions.update(dict.fromkeys(ids, Disposition.DELETE))
        left -= ids
        return admitted.jobs

    async def _on_time(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Return the jobs whose time under the agent's rate has come; the others hold no slot."""
        on_time = await rate_limit(self._worker, jobs)
        if len(on_time) < len(jobs):
            await self._give_back([job for job in jobs if job not in on_time])
        return on_time

    async def _give_back(self, jobs: Sequence[Job]) -> None:
        """Give back what jobs hold of their agent's limit.

        Not while a thread of ours runs on past its time-out: it may be one of theirs.
        """
        if self._worker.spec.limit is None or self._executor.hung:
            return
        from sqswarm.workers.runtime.limit import give_slots_back

        await give_slots_back(self._worker, jobs)

    async def _run(
        self, job: Job, lease: Lease, ends: float | None, hooks: Hooks
    ) -> Run | Disposition:
        """Run one attempt; whatever breaks here is this task's alone."""
        await hooks.began(job)
        try:
            return await self._attempt(job, lease, ends)
        except Exception as error:
            self._worker.log.error("attempt.failed", task_id=job.task_id, error=repr(error))
            return Disposition.KEEP
        finally:
            hooks.ended(job)

    async def _attempt(self, job: Job, lease: Lease, ends: float | None) -> Run | Disposition:
        """Run one attempt; its message's disposition at once where the lease was lost meanwhile."""
        began_ms = self._worker.now_ms()
        log = self._worker.log.bind(task_id=job.task_id, attempt=lease.attempt)
        log.attach()
        timeout_s = float(self._worker.spec.timeout_s)
        if ends is not None:
            timeout_s = min(timeout_s, max(0.1, ends - self._worker.runner.monotonic()))
        journal = None if job.is_lean(self._worker.spec) else Journal(self._worker, lease)
        context = TaskContext(
            task_id=job.task_id,
            attempt=lease.attempt,
            principal=job.message.principal,
            log=log,
            worker=self._worker,
            session_id=job.message.session_id,
            parent=job.message.parent,
            deadline_s=self._worker.runner.monotonic() + timeout_s,
            report=None if journal is None else self._reporter(journal),
            journal=journal,
        )
        try:
            late = journal is not None and bool(journal.undo)
            arguments = await self._arguments(job, lease.record, late=late)
            outcome = (
                arguments
                if isinstance(arguments, Failed)
                else await self._held(
                    job, lease, self._executor.execute(arguments, context, timeout_s=timeout_s)
                )
            )
        except WorkerStopping:
            return await self._hand_back(job, lease)
        except LeaseLost as error:
            log.warning("lease.lost", error=str(error))
            runs_on = journal is not None and journal.hung > 0
            return await self._stand_back(job, runs_on=runs_on)
        except Exception as error:
            log.error("arguments.failed", error=repr(error))
            outcome = Broke(error_type=type(error).__name__, message=str(error), exception=error)
        ended_ms = self._worker.now_ms()
        outcome = await self._unfit(outcome, journal, lease) or _recordable(outcome)
        note_outcome(job, outcome, ended_ms=ended_ms)
        decision = decide(
            outcome,
            attempt=lease.attempt,
            max_attempts=attempts_limit(self._worker, lease.record),
            jitter=self._worker.runner.jitter(),
            undoable=journal is not None and journal.undoable > 0,
            undoing=None if journal is None or journal.undo is None else journal.undo.undoing,
        )
        return Run(
            job=job,
            lease=lease,
            decision=decision,
            began_ms=began_ms,
            ended_ms=ended_ms,
        )

    async def _unfit(
        self, outcome: Outcome, journal: Journal | None, lease: Lease
    ) -> Misfitted | None:
        """Return that the code does not fit a task which an earlier one has begun, if that is why.

        What does not load, or takes other arguments by now, would end what waits.
        """
        limit = attempts_limit(self._worker, lease.record)
        last = isinstance(outcome, Failed) or lease.attempt >= limit
        if (
            journal is None
            or not (isinstance(outcome, Broke | Failed) and last)
            or outcome.error_type not in {"AgentNotLoaded", "InvalidArguments"}
        ):
            return None
        try:
            begun = await journal.has_recorded()
        except Exception as error:
            self._worker.log.error("journal.failed", task_id=lease.task_id, error=repr(error))
            return None
        why = hide(f"{outcome.error_type}: {outcome.message}")
        return Misfitted(misfit=Misfit(why=why)) if begun else None

    async def _held(self, job: Job, lease: Lease, work: Coroutine[Any, Any, Outcome]) -> Outcome:
        """Do the work under its lease, which is renewed where this worker renews leases."""
        if self._stopping is None:
            return await work
        leased = None if job.is_lean(self._worker.spec) else lease
        return await heartbeat(self._worker, leased, work, stopping=self._stopping, slot=job.slot)

    async def _hand_back(self, job: Job, lease: Lease) -> Disposition:
        """Let another worker have the task at once."""
        try:
            if not job.is_lean(self._worker.spec):
                write = protocol.hand_back(lease, now_ms=self._worker.now_ms())
                await self._worker.store.write(write)
            job.recorded_as("handed-back")
            await self._worker.hide(job, seconds=0)
        except Exception as error:
            self._worker.log.error("hand-back.failed", task_id=job.task_id, error=repr(error))
        else:
            self._worker.log.info("task.handed-back", task_id=job.task_id)
        return Disposition.KEEP

    async def _arguments(
        self, job: Job, record: TaskRecord | None, *, late: bool
    ) -> JsonObject | Failed:
        """Return a task's arguments; `late` where its deadline does not matter any more."""
        message = job.message
        if (
            not late
            and message.deadline is not None
            and message.deadline < iso(self._worker.now_ms())
        ):
            return Failed(
                error_type="DeadlineExceeded", message=f"the deadline was {message.deadline}"
            )
        if record is not None and record.joins is not None:
            return await self._joined(record)
        if message.payload_ref is None:
            return message.arguments or {}
        try:
            data = await self._worker.blobs.get(message.payload_ref)
            if data is None:
                return Failed(error_type="PayloadExpired", message=f"{message.payload_ref} {GONE}")
            arguments = loads(data)
        except ValueError as error:
            return Failed(error_type="InvalidPayload", message=str(error))
        if not isinstance(arguments, dict):
            return Failed(error_type="InvalidPayload", message="arguments are not an object")
        return arguments

    async def _joined(self, record: TaskRecord) -> JsonObject | Failed:
        from sqswarm.dispatcher.lifecycle.join import joined

        try:
            return await joined(self._worker.connection, record)
        except ValueError as error:
            return Failed(error_type="PayloadExpired", message=str(error))

    async def _stand_back(self, job: Job, *, runs_on: bool) -> Disposition:
        try:
            item = await self._worker.store.read(task_key(self._worker.spec.name, job.task_id))
            return await stand_back(self._worker, job, item, runs_on=runs_on)
        except Exception as error:
            self._worker.log.error("settle.failed", error=repr(error), tasks=1)
            return Disposition.KEEP

    def _reporter(self, journal: Journal) -> Report:
        async def report(fraction: float, message: str | None) -> None:
            write = protocol.progress(
                journal.lease,
                now_ms=self._worker.now_ms(),
                thousandths=round(1000 * fraction),
                message=message and encodable(hide(message))[:_STATUS_MESSAGE],
            )
            outcome = await self._worker.store.write(write)
            if not isinstance(outcome, Applied):
                raise journal.lost(outcome.item)

        return report


class _Finished:
    """Runs that are over and wait, a moment, for others to be settled with."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._due_at = 0.0
        self.runs: list[Run] = []

    def add(self, run: Run) -> None:
        """Keep a run; it is due when the most impatient one is."""
        run_s = max(0, run.ended_ms - run.began_ms) / 1000
        due_at = self._monotonic() + _COMPANY_S + _COMPANY_SHARE * run_s
        self._due_at = min(self._due_at, due_at) if self.runs else due_at
        self.runs.append(run)

    def left_s(self) -> float | None:
        """Return how long they may wait still (seconds); None where there is none."""
        return max(0.0, self._due_at - self._monotonic()) if self.runs else None

    @property
    def due(self) -> bool:
        """Whether they have waited long enough."""
        return bool(self.runs) and self._monotonic() >= self._due_at

    def take(self) -> list[Run]:
        """Return them, and keep none."""
        taken, self.runs = self.runs, []
        return taken


class _Dispositions(dict[str, Disposition]):
    """Dispositions by message id; whoever wants to know is told as each comes."""

    def __init__(self, tell: Callable[[str, Disposition], None] | None) -> None:
        super().__init__()
        self._tell = tell

    def __setitem__(self, message_id: str, disposition: Disposition) -> None:
        super().__setitem__(message_id, disposition)
        if self._tell is not None:
            self._tell(message_id, disposition)

    def update(self, dispositions: Mapping[str, Disposition]) -> None:  # type: ignore[override]
        for message_id, disposition in dispositions.items():
            self[message_id] = disposition


def _recordable(outcome: Outcome) -> Outcome:
    """Return what may be recorded: failures without secrets, results within their limit."""
    if isinstance(outcome, Broke | Failed | UndoBroke):
        return replace(outcome, message=hide(outcome.message))  # before it is cut anywhere
    if not isinstance(outcome, Returned):
        return outcome
    try:
        check_size(outcome.text, what="the result")
    except PayloadTooLarge as error:
        return Failed(error_type="PayloadTooLarge", message=str(error))
    return outcome
