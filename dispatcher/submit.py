"""Submit: one task for one agent, durable where asked, published to the topic `tasks`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from sqswarm.backends.ports.bus import DELAY_LIMIT_S, Outgoing
from sqswarm.dispatcher.backpressure import check_backpressure, heed_backlog
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.deadline import Deadline, deadline_text
from sqswarm.dispatcher.middleware import submitting
from sqswarm.dispatcher.singleton import create_single, singleton_of
from sqswarm.dispatcher.validate import check_names
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import IdempotencyConflict, UsageError
from sqswarm.schemas.ids import TaskId, derive_task_id, new_task_id, new_traceparent, new_version
from sqswarm.schemas.journal import SLEEP_LIMIT_S
from sqswarm.schemas.json import JsonObject, canonical, size_bytes
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.payload import ARGUMENTS, INLINE_LIMIT_BYTES, payload_key
from sqswarm.schemas.tags import check_tags
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Refused, Write


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a caller asks of one agent. `arguments` are a dict by their names, or a model's fields.

    `idempotency_key` makes a repeat return the first task; `durable` writes the record before
    publishing, so that the id resolves at once. `delay_s` is how long no worker may see it, up to a
    year: to the second up to 900 seconds (SQS), over that to the minute (a sleeping record). `tags`
    are what it is found by in listings. `notify` names who is told of its end (notice.py): each is
    one that the stage names; such a task is `durable`, so that a cancel knows whom to tell.
    After `deadline` no run of it begins. Of a
    `singleton` key one task is under way at a time: another submit returns that one.
    While the agent's oldest message is over `older_than_s` old, `when_behind` says what to do:
    "refuse" or "wait"; None: submit all the same.
    """

    arguments: Any
    idempotency_key: str | None = None
    ordering_key: str | None = None
    session_id: str | None = None
    delay_s: int = 0
    durable: bool = False
    redriven_from: str | None = None
    tags: Mapping[str, str] | None = None
    notify: str | Sequence[str] | None = None
    deadline: Deadline | None = None
    singleton: str | None = None
    when_behind: str | None = None
    older_than_s: int = 60


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A task on its way."""

    task_id: str
    agent: str


async def submit(
    connection: Connection, agent: str, requests: Sequence[Request], *, first_row: int | None = None
) -> list[Submitted]:
    """Publish one task per request and return their handles in order.

    `first_row` numbers the requests in error messages, where they are rows of something longer.

    Everything is validated before anything is written or published: one bad request refuses
    all. Raises UnknownAgent, InvalidArguments, NotifyRefused, PayloadTooLarge,
    IdempotencyConflict, PublishFailed, and Backlogged where a request wants that.
    """
    entry = connection.catalogue.agent(agent)
    check_names(principal=connection.principal)
    for request in requests:
        if not isinstance(request, Request):
            message = f"a task to submit is a Request, and this is a {type(request).__name__}"
            raise UsageError(message, hint="Pass [Request(arguments={...}), ...], or use `map`.")
        check_names(
            idempotency_key=request.idempotency_key,
            ordering_key=request.ordering_key or None,
            session_id=request.session_id,
            singleton=request.singleton,
        )
        check_tags(request.tags)
        check_notify(connection, entry, request.notify)
        check_backpressure(request)
    validator = connection.validator(entry)
    valid = [
        validator.encode(
            request.arguments,
            what="arguments" if first_row is None else f"arguments of row {first_row + n}",
        )
        for n, request in enumerate(requests)
    ]
    _check_delays(requests)
    await heed_backlog(connection, entry, requests)
    drafts = [
        _draft(connection, entry, request, text, arguments)
        for request, (text, arguments) in zip(requests, valid, strict=True)
    ]
    if any(size_bytes(text) > INLINE_LIMIT_BYTES for text, _ in valid):
        drafts = await connection.runner.gather([_check_in(connection, draft) for draft in drafts])
    async with submitting([draft.message for draft in drafts]) as messages:
        drafts = [replace(d, message=m) for d, m in zip(drafts, messages, strict=True)]
        ready = await _recorded(connection, drafts)
        await _publish(connection, entry, ready)
    for draft in ready:
        connection.remember(draft.message.id, agent)
    return [Submitted(task_id=draft.message.id, agent=agent) for draft in ready]


@dataclass(frozen=True, kw_only=True)
class _Draft:
    message: Message
    text: str
    durable: bool
    fingerprint: str | None
    delay_s: int
    sleeps: bool
    singleton: str | None
    publish: bool = True


def check_notify(
    connection: Connection, entry: CatalogueEntry, notify: str | Sequence[str] | None
) -> tuple[str, ...]:
    """Return who is to be told of a task's end; raises NotifyRefused for whom the stage does not.

    Nobody is told whom neither the stage names nor the agent itself.
    """
    if not notify:
        return ()
    from sqswarm.schemas.notice import check_allowed, targets_of

    catalogue, names = connection.catalogue, connection.names
    targets = targets_of(notify, region=names.region)
    allowed = {*catalogue.notify, *entry.notify}
    check_allowed(targets, allowed, agent=entry.name, agents=catalogue.agents, names=names)
    return targets


def _check_delays(requests: Sequence[Request]) -> None:
    for request in requests:
        if not 0 <= request.delay_s <= SLEEP_LIMIT_S:
            message = f"delay is {request.delay_s} s; 0 to {SLEEP_LIMIT_S:,} (a year) are possible"
            raise UsageError(
                message, hint="Delay it by a year at most; for later, submit it later."
            )


def idempotent_task_id(principal: str, agent: str, key: str) -> TaskId:
    """Return the id of the one task that a principal's idempotency key stands for at an agent."""
    return derive_task_id(f"{principal}\x00{agent}", key, at_ms=0)


def _draft(
    connection: Connection,
    entry: CatalogueEntry,
    request: Request,
    text: str,
    arguments: JsonObject,
) -> _Draft:
    """Return a request's message; `arguments` are the request's as JSON has them."""
    now = connection.runner.now_ms()
    if request.idempotency_key is None:
        task_id, fingerprint = new_task_id(now, connection.runner.random_bits), None
    else:
        task_id = idempotent_task_id(connection.principal, entry.name, request.idempotency_key)
        fingerprint = sha256(canonical(arguments).encode()).hexdigest()[:32]
    # SQS delays no message for longer, and none of a FIFO queue: such a task sleeps in the table.
    sleeps = request.delay_s > (0 if entry.ordered else DELAY_LIMIT_S)
    tags = check_tags(request.tags)
    singleton = singleton_of(entry, request.singleton, arguments, tags)
    durable = (
        request.durable
        or sleeps
        or singleton is not None
        or fingerprint is not None
        or bool(request.notify)
        or entry.durability is Durability.DURABLE
    )
    message = Message(
        id=task_id,
        name=entry.name,
        arguments=arguments,
        principal=connection.principal,
        v=new_version(connection.runner.random_bits) if durable else None,
        session_id=request.session_id,
        ordering_key=(request.ordering_key or request.session_id) if entry.ordered else None,
        redriven_from=request.redriven_from,
        tags=tags or None,
        notify=check_notify(connection, entry, request.notify) or None,
        deadline=deadline_text(request.deadline, now_ms=now, delay_s=request.delay_s),
        traceparent=new_traceparent(connection.runner.random_bits),
    )
    return _Draft(
        message=message,
        text=text,
        durable=durable,
        fingerprint=fingerprint,
        delay_s=request.delay_s,
        sleeps=sleeps,
        singleton=singleton,
        publish=not sleeps,
    )


async def _check_in(connection: Connection, draft: _Draft) -> _Draft:
    """Leave large arguments in S3, before the message that names them exists anywhere."""
    if size_bytes(draft.text) <= INLINE_LIMIT_BYTES:
        return draft
    key = payload_key(draft.message.name, draft.message.id, ARGUMENTS)
    ref = await connection.blobs.put(key, draft.text.encode())
    return replace(draft, message=replace(draft.message, arguments=None, payload_ref=ref))


async def _recorded(connection: Connection, drafts: list[_Draft]) -> list[_Draft]:
    """Create the records of durable tasks; a used idempotency key takes over what it finds."""
    ready = list(drafts)
    singles: dict[str, list[int]] = {}
    for n, draft in enumerate(drafts):
        if draft.singleton is not None:
            singles.setdefault(draft.singleton, []).append(n)
    if singles:
        await connection.runner.gather(
            [_single(connection, ready, numbers) for numbers in singles.values()]
        )
    durable = [(n, d) for n, d in enumerate(drafts) if d.durable and d.singleton is None]
    if not durable:
        return ready
    writes: dict[str, Write] = {}
    for _, draft in durable:  # one batch may hold the same idempotency key twice
        writes.setdefault(draft.message.id, protocol.create(_record(connection, draft)))
    outcomes = dict(
        zip(writes, await connection.store.write_many(list(writes.values())), strict=True)
    )
    created: set[str] = set()
    for n, draft in durable:
        task_id = draft.message.id
        outcome = outcomes[task_id]
        if isinstance(outcome, Refused) and outcome.item is not None:
            existing = TaskRecord.from_item(outcome.item)
            if existing.v != draft.message.v:  # else it is our own, its answer was lost
                ready[n] = _take_over(draft, existing)
        elif task_id in created:
            ready[n] = replace(draft, publish=False)
        created.add(task_id)
    return ready


async def _single(connection: Connection, ready: list[_Draft], numbers: Sequence[int]) -> None:
    """Create the one record of drafts that share a singleton key, or find the task under way."""
    first = ready[numbers[0]]
    record = await create_single(connection, _record(connection, first), str(first.singleton))
    if record.v != first.message.v:
        if record.task_id == first.message.id:
            first = _take_over(first, record)
        else:  # its own dispatcher has published it, or housekeeping will
            first = replace(first, message=record.to_message(), publish=False)
    for n in numbers:
        ready[n] = replace(first, publish=first.publish and n == numbers[0])


def _take_over(draft: _Draft, existing: TaskRecord) -> _Draft:
    if draft.fingerprint != existing.fingerprint:
        message = f"the idempotency key belongs to task {existing.task_id} with other arguments"
        raise IdempotencyConflict(message)
    # Published again while it works: its first dispatcher may have died before publishing.
    return replace(
        draft,
        message=replace(
            draft.message,
            v=existing.v,
            tags=existing.tags or None,
            notify=existing.notify or None,
            deadline=existing.deadline,
        ),
        publish=existing.status is Status.WORKING and existing.phase is Phase.RUN,
    )


def _record(connection: Connection, draft: _Draft) -> TaskRecord:
    now = connection.runner.now_ms()
    starts_ms = now + 1000 * draft.delay_s
    due_at_ms = starts_ms if draft.sleeps else starts_ms + DUE_GRACE_MS
    record = TaskRecord.from_message(draft.message, now_ms=now, due_at_ms=due_at_ms)
    return replace(
        record,
        phase=Phase.SLEEPING if draft.sleeps else Phase.RUN,
        wake_at_ms=starts_ms if draft.sleeps else None,
        fingerprint=draft.fingerprint,
    )


async def _publish(connection: Connection, entry: CatalogueEntry, drafts: Sequence[_Draft]) -> None:
    now: list[Outgoing] = []
    for draft in drafts:
        if not draft.publish:
            continue
        message = draft.message
        outgoing = Outgoing(
            id=message.id,
            body=message.encode(),
            principal=message.principal,
            agent=message.name,
            group=message.ordering_key,
        )
        if draft.delay_s:
            queue = connection.names.queue(entry.name)
            await connection.bus.send(queue, [outgoing], delay_s=draft.delay_s)
        else:
            now.append(outgoing)
    if now:
        await connection.bus.publish(
            connection.names.topic(TASKS_TOPIC, ordered=entry.ordered), now
        )
