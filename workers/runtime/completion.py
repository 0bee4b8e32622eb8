"""Completion: what an ended task still owes the world. All of it may be repeated harmlessly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqswarm.backends.ports.bus import Delivery
from sqswarm.backends.runner import attempt
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.results import error_type_of
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.value import dataclass
from sqswarm.workers.runtime.job import Job
from sqswarm.workers.runtime.worker_context import WorkerContext

if TYPE_CHECKING:  # only tasks that owe somebody something need it
    from sqswarm.dispatcher.lifecycle.completion import Completion
    from sqswarm.dispatcher.lifecycle.publish_result import ResultEvent
    from sqswarm.schemas.notice import Notice


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A task that has ended, its delivery still in our hands. `record` where it was read.

    `due` where it stands in the sweep index; `result` is what it completed with.
    """

    job: Job
    status: Status
    error: JsonObject | None
    record: TaskRecord | None = None
    told_ms: int | None = None
    """When it ended (Unix milliseconds), where somebody is to be told of that."""
    result: Payload | None = None
    due: bool = False

    @classmethod
    def of(cls, job: Job, record: TaskRecord) -> Ended:
        """Return what a delivery found: somebody else has ended its task."""
        return cls(job=job, status=record.status, error=record.error, record=record)

    def completion(self, spec: AgentSpec) -> Completion | None:
        """Return what it owes other tasks, if anything."""
        record, message = self.record, self.job.message
        publishes = spec.publishes if self.status is Status.COMPLETED else None
        owed = message.parent is not None or publishes is not None or self.told_ms is not None
        if record is None and not owed:
            return None
        from sqswarm.dispatcher.lifecycle.completion import Completion

        if record is None:
            return Completion(
                key=task_key(spec.name, self.job.task_id),
                status=self.status,
                parent=message.parent,
                parent_agent=message.parent_agent,
                due=self.due or message.parent is not None or self.told_ms is not None,
                notice=self._notice(spec.name),
                event=None if publishes is None else self._event(spec.name, publishes),
            )
        completion = Completion.of(record, publishes=publishes)
        if self.told_ms is not None:
            completion = replace(completion, notice=self._notice(spec.name))
        owes = completion.parent is not None or completion.event is not None or completion.due
        return completion if owes else None

    def _event(self, agent: str, topic: str) -> ResultEvent | None:
        from sqswarm.dispatcher.lifecycle.publish_result import ResultEvent

        message = self.job.message
        if self.result is None:
            return None
        return ResultEvent(
            topic=topic,
            task_id=self.job.task_id,
            agent=agent,
            principal=message.principal,
            result=self.result,
            traceparent=message.traceparent,
            tracestate=message.tracestate,
            baggage=message.baggage,
        )

    def _notice(self, agent: str) -> Notice | None:
        if self.told_ms is None:
            return None
        from sqswarm.schemas.notice import Notice

        message = self.job.message
        return Notice(
            task_id=self.job.task_id,
            agent=agent,
            status=self.status,
            at_ms=self.told_ms,
            principal=message.principal,
            tags=message.tags or {},
            error_type=None if self.error is None else error_type_of(self.error),
            traceparent=message.traceparent,
            notify=message.notify or (),
        )


async def run_completions(worker: WorkerContext, ended: Sequence[Ended]) -> list[Exception | None]:
    """Do what ended tasks owe: failed ones put aside, children counted, results published.

    Runs after the settle and before the message is deleted, so a crash between repeats it. Returns
    the error of each task whose completion failed: the others' have been done.
    """
    errors = await worker.runner.gather([attempt(_put_failed_aside(worker, one)) for one in ended])
    owing = [
        (n, owed)
        for n, one in enumerate(ended)
        if (owed := one.completion(worker.spec)) is not None
    ]
    # Together: ten children of one parent are counted in one write.
    failed = await attempt(_complete(worker, [owed for _, owed in owing])) if owing else None
    if failed is not None:
        for n, owed in owing:
            again = failed if len(owing) == 1 else await attempt(_complete(worker, [owed]))
            errors[n] = errors[n] or again
    return errors


async def run_completion(worker: WorkerContext, ended: Ended) -> None:
    """Do what one ended task owes; raises what keeps it from that."""
    [error] = await run_completions(worker, [ended])
    if error is not None:
        raise error


async def _complete(worker: WorkerContext, completions: Sequence[Completion]) -> None:
    from sqswarm.dispatcher.lifecycle.completion import apply_completions

    connection = await worker.connection.with_catalogue()
    for task_id, error in (await apply_completions(connection, completions)).items():
        worker.log.warning("notice.failed", task_id=task_id, error=repr(error))


async def _put_failed_aside(worker: WorkerContext, ended: Ended) -> None:
    if ended.status is not Status.FAILED or ended.error is None:
        return
    from sqswarm.dispatcher.lifecycle.dead_letters import dead_letter_of_failure

    letter = dead_letter_of_failure(
        ended.job.task_id,
        body=ended.job.delivery.body,
        error=ended.error,
        now_ms=worker.now_ms(),
    )
    group = ended.job.delivery.group
    await worker.bus.dead_letter(worker.dead_letter_queue, letter, group=group)


async def dead_letter_poison(
    worker: WorkerContext, delivery: Delivery, poison: PoisonMessage
) -> None:
    """Put a message that no agent can ever run into the dead-letter queue, with the reason."""
    from sqswarm.dispatcher.lifecycle.dead_letters import dead_letter_of_poison

    worker.log.error("message.poisoned", reason=poison.reason, detail=str(poison))

    letter = dead_letter_of_poison(delivery.body, poison, now_ms=worker.now_ms())
    await worker.bus.dead_letter(worker.dead_letter_queue, letter, group=delivery.group)
