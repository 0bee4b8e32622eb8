"""A task's spans, made of what its record, its steps and its children's records keep. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from sqswarm.backends.redact import hide
from sqswarm.dispatcher.course import PARKED, Course, Stretch
from sqswarm.dispatcher.lifecycle.answer import DECLINED_KEY
from sqswarm.schemas.history import (
    AttemptOutcome,
    RecordedAttempt,
    brief,
    error_text,
)
from sqswarm.schemas.journal import COPIED, PATCH, RECEIVE, entries
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.protocol import STEP_PREFIX
from sqswarm.schemas.signal import is_signal, name_of
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import Span, SpanKind
from sqswarm.schemas.writes import Item

_ERROR_LIMIT_BYTES = 500


def spans_of(  # noqa: C901 - one branch a kind of stretch
    record: TaskRecord,
    went: Course,
    *,
    steps: Sequence[Item] = (),
    children: Mapping[int, Sequence[Span]] | None = None,
    limit: int,
) -> tuple[Span, ...]:
    """Return a task's spans, at most `limit` of the steps of each attempt.

    `children` are spans of child tasks, by the number of the journal's entry that planned them.
    """
    runs = [one for one in went.stretches if one.attempt is not None]
    within: dict[int, list[Span]] = {}
    for item in sorted(steps, key=lambda item: (item.get("began", 0), item["position"])):
        step = _step(item, record.created_ms)
        within.setdefault(_place(runs, step), []).append(step)
    for item in sorted(steps, key=lambda item: -item.get("undo", 0)):
        if "undone" in item:
            undone = _undone(item, _step(item, record.created_ms))
            began = (n for n, run in enumerate(runs) if run.began_ms <= undone.began_ms)
            within.setdefault(max(began, default=0), []).append(undone)
    for several in within.values():
        several.sort(key=lambda span: span.began_ms)
    waits = deque(_waits(record))
    spans: list[Span] = []
    number = 0
    for one in went.stretches:
        if one.attempt is not None:
            spans.append(_attempt(record, one, one.attempt, within.pop(number, []), limit))
            number += 1
        elif one.kind is not None:
            spans.append(
                Span(kind=one.kind, name=one.name, began_ms=one.began_ms, ended_ms=one.ended_ms)
            )
        elif number == 0 or one.name == PARKED:
            delay = Span(
                kind=SpanKind.SLEEP,
                name=one.name or "delay",
                began_ms=one.began_ms,
                ended_ms=one.ended_ms,
            )
            spans.append(delay)
        else:
            ended_ms = went.ended_ms if one.ended_ms is None else one.ended_ms
            while waits and waits[0].at_ms < one.began_ms:  # of attempts that are left out
                spans += waits.popleft().spans(record, children or {}, ended_ms=one.began_ms)
            if waits:
                spans += waits.popleft().spans(record, children or {}, ended_ms=ended_ms)
    for wait in waits:
        spans += wait.spans(record, children or {}, ended_ms=went.ended_ms)
    return (*spans, *(step for left in within.values() for step in left))


def _place(runs: Sequence[Stretch], step: Span) -> int:
    """Return the number of the attempt that a step was part of."""
    for number, run in enumerate(runs):
        over = run.ended_ms is not None and run.ended_ms < (step.ended_ms or 0)
        if run.began_ms <= step.began_ms and not over:
            return number
    return max((n for n, run in enumerate(runs) if run.began_ms <= step.began_ms), default=0)


def chosen(spans: Sequence[Span], limit: int) -> tuple[list[Span], int]:
    """Return at most `limit` spans in their order, and how many are left out.

    What failed or has not ended is kept before what went well.
    """
    if len(spans) <= limit:
        return list(spans), 0
    order = sorted(range(len(spans)), key=lambda n: (not is_urgent(spans[n]), n))
    return [spans[n] for n in sorted(order[:limit])], len(spans) - limit


def is_urgent(span: Span) -> bool:
    """Tell whether somebody who looks for a fault wants to see a span."""
    return span.error is not None or span.ended_ms is None


def told(text: str | None) -> str | None:
    """Return an error on one line, without what looks like a secret, and not too long."""
    return None if text is None else brief(hide(text), _ERROR_LIMIT_BYTES)


def _attempt(
    record: TaskRecord, one: Stretch, attempt: RecordedAttempt, steps: list[Span], limit: int
) -> Span:
    error = ": ".join(filter(None, (attempt.error_type, attempt.error))) or None
    if attempt.outcome is AttemptOutcome.FAILED and attempt.error_type is None:
        error = error_text(record.error)
    kept, left_out = chosen(steps, limit)
    return Span(
        kind=SpanKind.ATTEMPT,
        name=one.name,
        began_ms=one.began_ms,
        ended_ms=one.ended_ms,
        outcome=None if attempt.outcome is None else attempt.outcome.value,
        error=told(error),
        worker=attempt.worker or None,
        request_id=attempt.request_id or None,
        version=attempt.version or None,
        children=tuple(kept),
        left_out={"step": left_out} if left_out else {},
    )


def _step(item: Item, created_ms: int) -> Span:
    name = item["sk"].removeprefix(STEP_PREFIX)
    plain, _, uses = name.rpartition("#")
    error = loads(item["error"]) if "error" in item else None
    began_ms = item.get("began", created_ms)  # an earlier version kept no times
    return Span(
        kind=SpanKind.TURN if item.get("kind") == "turn" else SpanKind.STEP,
        name=hide(plain if uses == "0" else f"{plain} ({int(uses) + 1})"),
        began_ms=began_ms,
        ended_ms=item.get("ended", began_ms),
        outcome="completed" if error is None else "failed",
        error=told(error_text(error)),
    )


def _undone(item: Item, step: Span) -> Span:
    """Return the span of a step's undo."""
    return Span(
        kind=SpanKind.UNDO,
        name=step.name,
        began_ms=item["undo_began"],
        ended_ms=item["undone"],
        outcome="undone",
    )


@dataclass(frozen=True, kw_only=True)
class _Wait:
    """What a task waited for at a time: the journal's entries of one suspension."""

    at_ms: int
    entries: tuple[tuple[int, JsonObject], ...]

    def spans(
        self, record: TaskRecord, children: Mapping[int, Sequence[Span]], *, ended_ms: int | None
    ) -> Iterator[Span]:
        """Yield its spans; the wait was over at `ended_ms`."""
        for number, entry in self.entries:
            match entry["kind"]:
                case "children":
                    yield from children.get(number, ())
                case "sleep":
                    yield _sleep(entry["name"], self.at_ms, ended_ms)
                case _:
                    given = record.answers.get(entry["name"])
                    yield _ask(entry["name"], self.at_ms, ended_ms, given)


def _waits(record: TaskRecord) -> Iterator[_Wait]:
    """Yield what a task waited for, suspension by suspension: of one kind, and noted together."""

    def suspension(numbered: tuple[int, JsonObject]) -> tuple[int, str, int]:
        number, entry = numbered
        kind = "ask" if entry["kind"] == RECEIVE else entry["kind"]  # they wait side by side
        alone = number if kind == "children" else -1
        return entry.get("at", record.created_ms), kind, alone

    waited = [
        (number, entry)
        for number, entry in enumerate(entries(record.waits))
        if entry["kind"] != PATCH and COPIED not in entry
    ]
    for (at_ms, _, _), several in groupby(waited, key=suspension):
        yield _Wait(at_ms=at_ms, entries=tuple(several))


def _sleep(name: str, at_ms: int, ended_ms: int | None) -> Span:
    shown = f"sleep {int(name) + 1}" if name.isdigit() else hide(name)
    return Span(kind=SpanKind.SLEEP, name=shown, began_ms=at_ms, ended_ms=ended_ms)


def _ask(name: str, at_ms: int, ended_ms: int | None, given: JsonObject | None) -> Span:
    signal = is_signal(name)
    outcome = by = None
    if given is not None:
        ended_ms, by = given.get("at", ended_ms), given.get("by")
        outcome = "received" if signal else "answered"
        outcome = "declined" if given.get(DECLINED_KEY) else outcome
        outcome = "timed out" if by is None and "at" in given else outcome
    return Span(
        kind=SpanKind.RECEIVE if signal else SpanKind.ASK,
        name=hide(name_of(name) if signal else name),
        began_ms=at_ms,
        ended_ms=ended_ms,
        outcome=outcome,
        by=by,
    )
