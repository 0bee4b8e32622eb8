"""Versions: a task that has begun with one version of its agent's code goes on with that one.

Its record says which (`code`). A worker of another version hands the message over, which stays in
flight in the queue meanwhile: the version that it is handed to hides or deletes it. So a hand-over
that is lost costs a visibility, as a lost worker does, and one that happens twice meets a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from sqswarm.backends.ports.bus import Delivery
from sqswarm.backends.runner import attempt
from sqswarm.schemas.agent_spec import Keeps
from sqswarm.workers.runtime.job import Job

if TYPE_CHECKING:
    from sqswarm.workers.runtime.worker_context import WorkerContext


class HandOver(Enum):
    """What became of a message that another version was to have."""

    DONE = "done"
    GONE = "gone"
    """There is no such version any more: whoever asks runs the task."""
    BUSY = "busy"
    """It could not be asked now: the message comes again soon."""


class Versions(Protocol):
    """The versions of an agent's code that are kept, seen from one of them.

    `own` is its number. `handed_over` tells that what it has just now came from another version:
    then the message's word is not believed, only the record's, or two could hand it to and fro.
    """

    own: str
    handed_over: bool

    async def hand_over(self, delivery: Delivery, version: str) -> HandOver:
        """Let `version` have a message; returns what became of it, and raises nothing."""
        ...


_BUSY_S = 5
"""How long a message is hidden whose version could not be asked, seconds."""


async def keep_mine(worker: WorkerContext, jobs: Sequence[Job]) -> list[Job]:
    """Hand over the jobs whose messages name another version; return those that are run here."""
    if worker.versions is None or worker.versions.handed_over:
        return [*jobs]
    mine = await worker.runner.gather([_mine(worker, job) for job in jobs])
    return [job for job in mine if job is not None]


async def _mine(worker: WorkerContext, job: Job) -> Job | None:
    gone = await hand_over(worker, job, job.message.code)
    return replace(job, message=replace(job.message, code=None)) if gone else None


async def hand_over(worker: WorkerContext, job: Job, code: str | None) -> bool:
    """Let the version `code` have a job's message; tell whether the job is this worker's instead.

    It is where there is no such version any more, and where it is this worker's own.
    """
    versions = worker.versions
    if versions is None or code is None or code == versions.own or not _keeps_journal(worker):
        return True
    match await versions.hand_over(job.delivery, code):
        case HandOver.GONE:
            worker.log.warning("version.gone", task_id=job.task_id, code=code)
            return True
        case HandOver.DONE:
            worker.log.info("task.handed-over", task_id=job.task_id, code=code)
        case HandOver.BUSY:
            failed = await attempt(worker.hide(job, seconds=_BUSY_S))
            worker.log.warning("version.busy", task_id=job.task_id, code=code, hide=repr(failed))
    return False


def _keeps_journal(worker: WorkerContext) -> bool:
    """Tell whether the agent's tasks have anything recorded that other code might not fit."""
    return worker.agent is None or Keeps.JOURNAL in worker.spec.keeps
