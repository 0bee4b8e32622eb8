"""Notify: tell of tasks that have ended, whoever is named to be told. Repeated without harm.

It is owed as a child's count in its parent is: the settle keeps the task in the sweep index, and
it leaves that once all are told. A topic, a queue or an event bus is told here; a webhook by a
task of the agent `webhook`, whose id follows from the told task's: it is started once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import attempt
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import NotDeployed, PublishFailed
from sqswarm.schemas.ids import created_ms, derive_task_id, new_version, within_task
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.notice import (
    WEBHOOK_AGENT,
    WEBHOOK_MODULE,
    Notice,
    Target,
    TargetKind,
    allowed_targets,
    target_of,
)
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied

GIVEN_UP_MS = 24 * 3600_000
"""How long after its end a task is told of, where that comes to nothing (milliseconds)."""

_LONGEST_WAIT_MS = 15 * 60_000


def told_of(connection: Connection, agent: str, notify: Sequence[str] = ()) -> tuple[str, ...]:
    """Return who is told of the end of an agent's task for which `notify` were named."""
    entry = connection.catalogue.agents.get(agent)
    own = () if entry is None else entry.notify
    return allowed_targets(notify, stage=connection.catalogue.notify, agent=own)


def owes_until_ms(connection: Connection, record: TaskRecord) -> int | None:
    """Return from when on the sweep tells of a task that ends now; None where nobody is told."""
    if not told_of(connection, record.agent, record.notify):
        return None
    return connection.runner.now_ms() + DUE_GRACE_MS


def notice_of(record: TaskRecord) -> Notice:
    """Return what is told of a recorded task that has ended."""
    return Notice(
        task_id=record.task_id,
        agent=record.agent,
        status=record.status,
        at_ms=record.updated_ms,
        principal=record.principal,
        tags=record.tags,
        error_type=record.error_type,
        traceparent=record.traceparent,
        notify=record.notify,
    )


def told_again_ms(notice: Notice, *, now_ms: int) -> int | None:
    """Return when a notice that came to nothing is tried again; None where it is given up.

    Often at first: after as long again as half of what has passed since the task's end.
    """
    passed_ms = now_ms - notice.at_ms
    if passed_ms >= GIVEN_UP_MS:
        return None
    return now_ms + max(DUE_GRACE_MS, min(passed_ms // 2, _LONGEST_WAIT_MS))


async def notify(connection: Connection, notices: Sequence[Notice]) -> dict[str, Exception]:
    """Tell of the ends of tasks; return why, by the ids of those that somebody was not told of."""
    owed: dict[str, list[Notice]] = {}
    for notice in notices:
        for address in told_of(connection, notice.agent, notice.notify):
            owed.setdefault(address, []).append(notice)
    if not owed:
        return {}
    outcomes = await connection.runner.gather(
        [attempt(_tell(connection, target_of(one), told)) for one, told in owed.items()]
    )
    untold: dict[str, Exception] = {}
    for told, error in zip(owed.values(), outcomes, strict=True):
        if error is None:
            continue
        failed = {*error.failed} if isinstance(error, PublishFailed) else None
        untold |= {one.task_id: error for one in told if failed is None or one.id in failed}
    return untold


async def _tell(connection: Connection, target: Target, notices: Sequence[Notice]) -> None:
    if target.kind is TargetKind.WEBHOOK:
        await _start_webhooks(connection, target, notices)
        return
    names = connection.names
    messages = [
        Outgoing(
            id=one.id,
            body=one.body(names),
            principal=one.principal,
            agent=one.agent,
            event_type=one.type,
            group=one.task_id,
        )
        for one in notices
    ]
    await connection.bus.tell(target, messages)


async def _start_webhooks(
    connection: Connection, target: Target, notices: Sequence[Notice]
) -> None:
    """Start the tasks that carry notices to a webhook: recorded first, as children are.

    They stand in no sweep index: until one is sent, what is told of does, and after that its
    message comes again by itself, for as long as its retries take.
    """
    if WEBHOOK_AGENT not in connection.catalogue.agents:
        message = f"no agent {WEBHOOK_AGENT!r} is deployed to tell {target.address}"
        raise NotDeployed(message, hint=f'Add "{WEBHOOK_MODULE}" to [tool.sqswarm] agents.')
    made = [_webhook(connection, target, one) for one in notices]
    outcomes = await connection.store.write_many([protocol.create(record) for record in made])
    ready: list[TaskRecord] = []
    for record, outcome in zip(made, outcomes, strict=True):
        if isinstance(outcome, Applied):
            ready.append(record)
        elif outcome.item is not None:  # made before, by one that may not have sent it
            before = TaskRecord.from_item(outcome.item)
            if before.status is Status.WORKING and before.unbegun:
                ready.append(before)
    await republish(connection, ready)


def _webhook(connection: Connection, target: Target, notice: Notice) -> TaskRecord:
    at_ms = created_ms(notice.task_id)
    message = Message(
        id=derive_task_id(notice.task_id, f"notify {target.address}", at_ms=at_ms),
        name=WEBHOOK_AGENT,
        arguments={"url": target.address, "event": notice.event(connection.names)},
        principal=notice.principal,
        v=new_version(connection.runner.random_bits),
        traceparent=within_task(notice.traceparent, notice.task_id),
    )
    return TaskRecord.from_message(message, now_ms=connection.runner.now_ms())
