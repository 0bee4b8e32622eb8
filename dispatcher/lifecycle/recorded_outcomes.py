"""What a task has recorded, outcome by outcome, and what of it came before a named one. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqswarm.dispatcher.lifecycle.answer import DECLINED_KEY
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.journal import PATCH
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import STEP_PREFIX
from sqswarm.schemas.signal import is_signal, name_of
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.timeline import SpanKind
from sqswarm.schemas.writes import Item

FROM_END = "end"
"""Names where a task stopped, whatever it met there: everything that went well is kept."""

_SHOWN = 30
_EVER = 1 << 62


@dataclass(frozen=True, kw_only=True)
class ReusableChild:
    """A child as its parent's journal names it: whose child it is, its id, its record if any."""

    key: str
    of: str
    task_id: str
    agent: str
    record: TaskRecord | None = None


@dataclass(frozen=True, kw_only=True)
class RecordedOutcome:
    """One operation of a task, and where it stands among the others (journal.py).

    `name` is what it is called by (`write`, `write#2`, `turn#40`, `approve`, `sleep#1`), `names`
    what else it answers to. `went_well` is False for what a new run should rather meet anew.
    Times are Unix milliseconds.
    """

    kind: SpanKind
    name: str
    names: frozenset[str] = frozenset()
    position: int
    alone: bool
    began_ms: int
    ended_ms: int = _EVER
    went_well: bool = True
    seen: bool = True
    """The task went on from it: a child that was waited for when the task was cancelled was not."""
    step: Item | None = field(default=None, repr=False)
    entry: int | None = None
    """The number of its entry among the waits."""
    child: ReusableChild | None = None

    def precedes(self, other: RecordedOutcome) -> bool:
        """Tell whether this one cannot follow from `other`: it was begun before, or beside it."""
        if self.position < other.position:
            return True
        beside = not self.alone and not other.alone
        return beside and self.began_ms < other.ended_ms


def outcomes(
    record: TaskRecord,
    steps: Iterable[Item],
    waits: Sequence[JsonObject],
    children: Mapping[int, Sequence[ReusableChild]],
) -> list[RecordedOutcome]:
    """Return what a task has recorded; `children` are those of each entry of its waits."""
    found = [_of_step(record, item) for item in steps if str(item["sk"]).startswith(STEP_PREFIX)]
    called: Counter[str] = Counter()
    for number, entry in enumerate(waits):
        match entry["kind"]:
            case "children":
                for child in children.get(number, ()):
                    called[child.agent] += 1
                    found.append(_of_child(record, number, entry, child, called[child.agent]))
            case kind if kind != PATCH:
                found.append(_of_wait(record, number, entry))
    return sorted(found, key=lambda one: one.position)


def step_names(full: str, *, turn: bool = False) -> tuple[str, frozenset[str]]:
    """Return what the step that is recorded as `full` is called by, and what else it answers to."""
    plain, _, uses = full.rpartition("#")
    number = int(uses) + 1
    kinds = ("step ", "turn ") if turn else ("step ",)
    names = {f"{plain}#{number}", f"{plain} ({number})"}
    names |= {plain} if number == 1 else set()
    names |= {f"{plain} {number}"} if turn else set()
    shown = f"{plain}#{number}" if turn or number > 1 else plain
    return shown, frozenset(names | {f"{kind}{name}" for kind in kinds for name in names})


def _of_step(record: TaskRecord, item: Item) -> RecordedOutcome:
    turn = item.get("kind") == SpanKind.TURN.value
    name, names = step_names(str(item["sk"]).removeprefix(STEP_PREFIX), turn=turn)
    return RecordedOutcome(
        kind=SpanKind.TURN if turn else SpanKind.STEP,
        name=name,
        names=names,
        position=item["position"],
        alone=item["alone"],
        began_ms=item.get("began", record.created_ms),
        ended_ms=item.get("ended", record.created_ms),
        step=item,
    )


def _of_child(
    record: TaskRecord, number: int, entry: JsonObject, child: ReusableChild, nth: int
) -> RecordedOutcome:
    name = child.agent if nth == 1 else f"{child.agent}#{nth}"
    names = {name, f"{child.agent}#{nth}", child.task_id}
    of = child.record
    ended = of is not None and of.status.terminal
    return RecordedOutcome(
        kind=SpanKind.CHILD,
        name=name,
        names=frozenset(names | {f"child {one}" for one in names}),
        position=entry["position"],
        alone=entry["alone"],
        began_ms=entry.get("at", record.created_ms),
        ended_ms=of.updated_ms if of is not None and ended else _EVER,
        went_well=of is not None and of.status is Status.COMPLETED,
        seen=ended and not _is_awaited(record, child),
        entry=number,
        child=child,
    )


def _is_awaited(record: TaskRecord, child: ReusableChild) -> bool:
    """Tell whether a task was ended while it still waited for a child."""
    if not record.pending or child.record is None or child.record.parent is None:
        return False
    parent, _, place = child.record.parent.partition("#")
    return parent == record.task_id and int(place) in record.pending


def _of_wait(record: TaskRecord, number: int, entry: JsonObject) -> RecordedOutcome:
    raw, at_ms = str(entry["name"]), entry.get("at", record.created_ms)
    place = {"position": entry["position"], "alone": entry["alone"], "began_ms": at_ms}
    if entry["kind"] == SpanKind.SLEEP.value:
        nth = int(raw) + 1 if raw.isdigit() else None
        name = raw if nth is None else f"sleep#{nth}"
        names = {name, f"sleep {raw}" if nth is None else f"sleep {nth}"}
        over_ms = entry.get("until", _EVER)
        return RecordedOutcome(
            kind=SpanKind.SLEEP,
            name=name,
            names=frozenset(names),
            ended_ms=over_ms,
            entry=number,
            **place,
        )
    given, signal = record.answers.get(raw), is_signal(raw)
    name = name_of(raw) if signal else raw
    well = given is not None and not given.get("timedOut") and not given.get(DECLINED_KEY)
    return RecordedOutcome(
        kind=SpanKind.RECEIVE if signal else SpanKind.ASK,
        name=name,
        names=frozenset({name, f"{entry['kind']} {name}"}),
        ended_ms=_EVER if given is None else given.get("at", at_ms),
        went_well=well,
        seen=given is not None,
        entry=number,
        **place,
    )


def kept_before(
    recorded: Sequence[RecordedOutcome], record: TaskRecord, from_step: str
) -> tuple[str, list[RecordedOutcome]]:
    """Return the exact name of `from_step`, and the outcomes that a redrive from there keeps.

    `from_step` is recorded, or a step at which the task failed, or FROM_END. Kept is what cannot
    follow from it; of children that were waited for together with it, those that completed.
    Raises UsageError, which lists the names, for one that is not there.
    """
    named = next((one for one in recorded if from_step in {one.name, *one.names}), None)
    if named is not None:
        kept = [one for one in recorded if one is not named and _stays(one, named)]
        return named.name, kept
    for full in loads(record.failed_steps) if record.failed_steps is not None else ():
        name, names = step_names(full, turn=full.startswith("turn#"))
        if from_step in {name, *names}:
            return name, _at_end(recorded)
    if from_step == FROM_END:
        return FROM_END, _at_end(recorded)
    raise _unknown(recorded, record, from_step)


def _stays(one: RecordedOutcome, named: RecordedOutcome) -> bool:
    together = None not in {one.entry, named.entry} and (one.position, one.began_ms) == (
        named.position,
        named.began_ms,
    )
    if together or not one.seen:
        waited_for = one.kind in {SpanKind.CHILD, SpanKind.ASK, SpanKind.RECEIVE}
        return (one.went_well or not waited_for) and (together or one.precedes(named))
    return one.precedes(named)


def _at_end(recorded: Sequence[RecordedOutcome]) -> list[RecordedOutcome]:
    """Return all but what went wrong last: that is what a redrive is for."""
    begun: dict[int, int] = {}
    """By position: when the last operation was begun that stands after it."""

    def was_passed(one: RecordedOutcome) -> bool:
        if one.position not in begun:
            after = [other for other in recorded if other.position > one.position]
            begun[one.position] = max(
                (_EVER if other.alone else other.began_ms for other in after), default=-1
            )
        return begun[one.position] >= (0 if one.alone else one.ended_ms)

    return [one for one in recorded if one.went_well or (one.seen and was_passed(one))]


def _unknown(recorded: Sequence[RecordedOutcome], record: TaskRecord, from_step: str) -> UsageError:
    failed = loads(record.failed_steps) if record.failed_steps is not None else ()
    there = [one.name for one in recorded]
    there += [step_names(full, turn=full.startswith("turn#"))[0] for full in failed]
    shown = ", ".join(map(repr, there[-_SHOWN:])) or "nothing"
    more = f"… and {len(there) - _SHOWN:,} before them, " if len(there) > _SHOWN else ""
    message = f"task {record.task_id} has recorded no {from_step!r}: it has {more}{shown}"
    return UsageError(
        message, hint=f"Name one of them, or {FROM_END!r} for all that went well before its end."
    )
