"""Timeline: what became of a task and of the tasks it started, read from what they left.

One read of the record, one query of its steps, and for each level below as many reads as its
children take, a hundred each: how deep and how many is bounded, and what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.course import Course, course
from sqswarm.dispatcher.task_spans import chosen, spans_of, told
from sqswarm.dispatcher.view import find, not_found, visible
from sqswarm.schemas.history import error_text
from sqswarm.schemas.ids import created_ms, event_task_id, result_event_id
from sqswarm.schemas.join import Join, join_task_id
from sqswarm.schemas.journal import COPIED, REUSED_OF, agent_of_child, child_id, entries
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import STEP_PREFIX
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.schemas.timeline import Span, SpanKind, Timeline
from sqswarm.schemas.writes import Item, Key

DEPTH = 3
"""Levels of tasks whose insides are shown, the task's own among them."""

LIMIT = 100
"""Steps of an attempt and children of a task that are shown; child tasks whose insides are read."""

_STEPS_READ = 10_000
_CHILDREN_READ = 1000
_PLANS_READ = 20
"""Plans of one task that are fetched from S3; the newest."""
_STEP_NAMES = (
    *("position", "began", "ended", "kind", "error", COPIED),
    *("undo", "undo_began", "undone"),
)


@dataclass(frozen=True, kw_only=True)
class _Child:
    """A child task, the number of the journal's entry that planned it, its record if any."""

    entry: int
    at_ms: int
    key: Key
    agent: str
    task_id: str
    record: TaskRecord | None = None


@dataclass(frozen=True, kw_only=True)
class _Insides:
    """What a task left beside its record."""

    steps: Sequence[Item] = ()
    children: Sequence[_Child] = ()
    unread: int = 0


async def timeline(
    connection: Connection,
    task_id: str,
    *,
    agent: str | None = None,
    depth: int = DEPTH,
    limit: int = LIMIT,
) -> Timeline:
    """Return what became of a task; raises TaskNotFound where this principal has none.

    One whose `agent` is named may have no record yet: then it is in its queue. `depth` is how many
    levels of tasks are shown from within, `limit` how many children and steps of each.
    """
    record = await find(connection, task_id, agent=agent)
    if record is None:
        if agent is None:
            raise not_found(connection, task_id)
        return _unbegun(task_id, agent, connection.runner.now_ms())
    insides: dict[str, _Insides] = {}
    level = [record]
    for _ in range(max(1, depth)):
        opened = await connection.runner.gather([_insides(connection, one) for one in level])
        found = await _with_records(connection, opened)
        insides.update(zip([one.task_id for one in level], found, strict=True))
        children = [child.record for one in found for child in one.children if child.record]
        # What failed is read before what went well.
        children.sort(key=lambda one: one.status in {Status.COMPLETED, Status.CANCELLED})
        level = children[: max(0, limit + 1 - len(insides))]
        if not level:
            break
    whole = _Teller(insides, now_ms=connection.runner.now_ms(), limit=limit).tell(record)
    return replace(whole, published=await _published(connection, record))


async def _insides(connection: Connection, record: TaskRecord) -> _Insides:
    """Return what a task left: its steps, and the children it planned."""
    steps = await connection.store.read_group(
        record.key.pk, after_sk=STEP_PREFIX, names=_STEP_NAMES, limit=_STEPS_READ
    )
    journal = enumerate(entries(record.waits))
    plans = [(number, one) for number, one in journal if one["kind"] == "children"]
    children: list[_Child] = []
    for entry, plan in plans[-_PLANS_READ:]:
        at_ms = plan.get("at", record.created_ms)
        for key in await _planned(connection, plan):
            child = child_id(record.task_id, key)
            name = agent_of_child(key)
            children.append(
                _Child(
                    entry=entry,
                    at_ms=at_ms,
                    key=task_key(name, child),
                    agent=name,
                    task_id=child,
                )
            )
    return _Insides(
        steps=[one for one in steps if one["sk"].startswith(STEP_PREFIX) and COPIED not in one],
        children=children[:_CHILDREN_READ],
        unread=max(0, record.planned - min(len(children), _CHILDREN_READ)),
    )


async def _planned(connection: Connection, plan: JsonObject) -> list[str]:
    planned = plan.get("children")
    if planned is None:
        data = await connection.blobs.get(plan["ref"])
        planned = [] if data is None else loads(data)
    return [child["key"] for child in planned if REUSED_OF not in child]


async def _with_records(connection: Connection, opened: Sequence[_Insides]) -> list[_Insides]:
    keys = [child.key for one in opened for child in one.children]
    items = await connection.store.read_many(keys)
    return [
        replace(
            one,
            children=[
                replace(child, record=visible(connection, items.get(child.key)))
                for child in one.children
            ],
        )
        for one in opened
    ]


async def _published(connection: Connection, record: TaskRecord) -> tuple[Span, ...]:
    """Return the tasks that its result has started, where its agent publishes."""
    entry = connection.catalogue.agents.get(record.agent)
    if entry is None or entry.publishes is None or record.status is not Status.COMPLETED:
        return ()
    event_id = result_event_id(record.task_id)
    keys = [
        task_key(one.name, _joined_in(one.name, record, one.joins))
        if one.joins is not None and one.joins_events_of(entry.publishes)
        else task_key(one.name, event_task_id(event_id, one.name))
        for one in connection.catalogue.results_to(entry.publishes)
    ]
    items = await connection.store.read_many(keys)
    records = [visible(connection, items.get(key)) for key in keys]
    now_ms = connection.runner.now_ms()
    return tuple(
        Span(
            kind=SpanKind.EVENT,
            name=one.agent,
            task_id=one.task_id,
            began_ms=one.created_ms,
            ended_ms=course(one, now_ms=now_ms).ended_ms,
            outcome=one.status.value,
            error=told(error_text(one.error)),
        )
        for one in records
        if one is not None
    )


def _joined_in(agent: str, record: TaskRecord, join: Join) -> str:
    """Return the task that joins a task's result; of a large one, which is not read, none."""
    inline = None if record.result is None else record.result.inline
    key = loads(inline or "{}").get(join.key)
    return "" if key is None else join_task_id(record.principal, agent, key)


class _Teller:
    """Makes spans of what was read."""

    def __init__(self, insides: dict[str, _Insides], *, now_ms: int, limit: int) -> None:
        self._insides = insides
        self._now_ms = now_ms
        self._limit = limit

    def tell(self, record: TaskRecord) -> Timeline:
        """Return the timeline of a task."""
        went = course(record, now_ms=self._now_ms)
        spans, left_out = self._within(record, went)
        return Timeline(
            task_id=record.task_id,
            agent=record.agent,
            status=record.status,
            error=told(error_text(record.error)),
            began_ms=record.created_ms,
            ended_ms=went.ended_ms,
            queue_ms=went.total_ms(SpanKind.QUEUE, now_ms=self._now_ms),
            run_ms=went.total_ms(SpanKind.ATTEMPT, now_ms=self._now_ms),
            wait_ms=went.total_ms(None, now_ms=self._now_ms),
            spans=spans,
            left_out=left_out,
            redriven_from=record.redriven_from,
            redriven_as=record.redriven_as,
            published_by=record.started_by,
            copied=None if record.copied is None else loads(record.copied),
        )

    def _within(self, record: TaskRecord, went: Course) -> tuple[tuple[Span, ...], dict[str, int]]:
        inside = self._insides.get(record.task_id, _Insides())
        told_of = [(child, self._child(child)) for child in inside.children]
        kept, more = chosen([span for _, span in told_of], self._limit)
        shown = {id(span) for span in kept}
        children: dict[int, list[Span]] = {}
        for child, span in told_of:
            if id(span) in shown:
                children.setdefault(child.entry, []).append(self._opened(child, span))
        spans = spans_of(record, went, steps=inside.steps, children=children, limit=self._limit)
        left_out = {"attempt": went.left_out, "child": inside.unread + more}
        return spans, {kind: number for kind, number in left_out.items() if number}

    def _child(self, child: _Child) -> Span:
        """Return a child's span, without what lies within it."""
        record = child.record
        went = None if record is None else course(record, now_ms=self._now_ms)
        return Span(
            kind=SpanKind.CHILD,
            name=child.agent,
            task_id=child.task_id,
            began_ms=child.at_ms if record is None else record.created_ms,
            ended_ms=None if went is None else went.ended_ms,
            outcome="no record" if record is None else record.status.value,
            error=None if record is None else told(error_text(record.error)),
        )

    def _opened(self, child: _Child, span: Span) -> Span:
        """Return a child's span with what lies within it, where that was read."""
        if child.record is None or child.task_id not in self._insides:
            return span
        went = course(child.record, now_ms=self._now_ms)
        spans, left_out = self._within(child.record, went)
        return replace(span, children=spans, left_out=left_out)


def _unbegun(task_id: str, agent: str, now_ms: int) -> Timeline:
    """Return the timeline of a task that no worker has had."""
    began_ms = created_ms(task_id)
    queue = Span(kind=SpanKind.QUEUE, name="queue", began_ms=began_ms, ended_ms=None)
    return Timeline(
        task_id=task_id,
        agent=agent,
        status=Status.WORKING,
        began_ms=began_ms,
        ended_ms=None,
        queue_ms=max(0, now_ms - began_ms),
        run_ms=0,
        wait_ms=0,
        spans=(queue,),
    )
