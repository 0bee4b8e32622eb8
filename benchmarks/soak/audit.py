"""Audit: what a soak left behind, held against what correctness promises."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.faults.witness import Witness
from benchmarks.soak.agents import AGENTS, value
from benchmarks.soak.inspector import DeadLetter
from benchmarks.soak.order import ALWAYS, Order, Row
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.journal import parent_of
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.schemas.task import TaskRecord

_DEATH_S = 30.0
"""A process that died within so many seconds of a run's beginning may have taken it along."""


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A promise that was not kept. `task_id` is empty where it is nobody's in particular."""

    law: str
    task_id: str
    what: str

    def __str__(self) -> str:
        """Say which, where and what."""
        return f"{self.law}: {self.task_id} {self.what}"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that is known of a soak after it. `expected` and `handles` map rows to task ids."""

    order: Order
    expected: Mapping[int, str]
    handles: Mapping[int, str]
    records: Mapping[str, TaskRecord]
    witness: Witness
    misfortunes: Mapping[str, int]
    notes: list[dict[str, Any]]
    died: Mapping[str, float]
    letters: list[DeadLetter]
    left: Mapping[str, int]
    due: list[str]
    problems: list[str]
    seconds: float
    dispatchers_killed: int
    killed_from_outside: int
    containers_killed: int = 0

    @cached_property
    def rows(self) -> dict[str, Row]:
        """Return each expected task's row."""
        by_number = {row.number: row for row in self.order.rows}
        return {task_id: by_number[number] for number, task_id in self.expected.items()}

    @cached_property
    def noted(self) -> dict[str, list[dict[str, Any]]]:
        """Return each task's notes."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for note in self.notes:
            if "task" in note:
                found[note["task"]].append(note)
        return found

    def runs(self, task_id: str) -> list[dict[str, Any]]:
        """Return a task's executions."""
        return [note for note in self.noted.get(task_id, []) if note["what"] == "run"]

    def children(self, record: TaskRecord) -> list[TaskRecord]:
        """Return the records of a task's children."""
        known = self.records.values()
        return [one for one in known if one.parent and parent_of(one.parent)[0] == record.task_id]

    def attempts_lost(self, task_id: str) -> int:
        """Return how many executions of a task misfortune explains.

        They gave their lease back, or their process died, or a request that named the task met a
        fault.
        """
        notes = self.noted.get(task_id, [])
        own = {note["process"] for note in notes if note["what"] in {"kill", "hang"}}
        killed = sum(note["what"] == "kill" for note in notes)
        runs = self.runs(task_id)
        # An agent may get no further than its first steps.
        began = {run["process"] for run in runs}
        first_steps = {note["process"]: note for note in notes if note["process"] not in began}
        taken = sum(
            0 <= self.died[note["process"]] - note["at"] < _DEATH_S
            for note in (*runs, *first_steps.values())
            if note["process"] in self.died and note["process"] not in own
        )
        released = self.witness.released[task_id]
        return killed + taken + released + self.misfortunes.get(task_id, 0)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of an audit."""

    submitted: int
    completed: int
    failed: int
    cancelled: int
    lost: int
    doubled: int
    stuck: int
    breaches: list[Breach]

    @property
    def kept(self) -> bool:
        """True where every promise was kept."""
        return not (self.lost or self.doubled or self.stuck or self.breaches)

    def __str__(self) -> str:
        """Return the soak's last line."""
        return (
            f"soak: submitted={self.submitted} completed={self.completed} failed={self.failed} "
            f"lost={self.lost} doubled={self.doubled} stuck={self.stuck}"
        )


def audit(seen: Evidence) -> Verdict:
    """Return what became of the expected tasks, and every breach of a promise."""
    statuses = Counter(
        seen.records[task_id].status for task_id in seen.rows if task_id in seen.records
    )
    lost = sum(task_id not in seen.records for task_id in seen.rows)
    # Rows that no dispatcher ever got through with are no task: the soak itself is broken.
    lost += len(seen.order.rows) - len(seen.expected)
    doubled = sum(len(endings) > 1 for endings in seen.witness.endings.values())
    # Also children, and tasks whose dispatcher met a fault and asked anew: nobody has their handle.
    stuck = sum(not record.status.terminal for record in seen.records.values())
    return Verdict(
        submitted=len(seen.order.rows),
        completed=statuses[Status.COMPLETED],
        failed=statuses[Status.FAILED],
        cancelled=statuses[Status.CANCELLED],
        lost=lost,
        doubled=doubled,
        stuck=stuck,
        breaches=[breach for law in LAWS for breach in law(seen)],
    )


def _results_are_right(seen: Evidence) -> Iterator[Breach]:
    """A task ends as its arguments say, unless its workers were lost on every attempt."""
    for task_id, row in seen.rows.items():
        record = seen.records.get(task_id)
        if record is None or not record.status.terminal:
            continue
        wrong = _wrong(seen, row, record)
        if wrong:
            yield Breach(law="results-are-right", task_id=task_id, what=f"{row}: {wrong}")


def _wrong(seen: Evidence, row: Row, record: TaskRecord) -> str:
    what, _, times = row.mischief.partition(":")
    if record.status is Status.COMPLETED:
        if what == "fail" or (times and int(times) == ALWAYS):
            return "it completed, and was told never to"
        text = "" if record.result is None else str(record.result.inline)
        given = json.loads(text)[WRAPPED_KEY]
        right = value(row.arguments["n"])
        return "" if given == right else f"it gave {given}, not {right}"
    data = (record.error or {}).get("data", {})
    kind = data.get("type")
    if kind == "WorkerLost":
        return _unfairly_lost(seen, record)
    if kind == "ChildFailed":
        failed = [one for one in seen.children(record) if one.status is Status.FAILED]
        if failed and all((one.error or {})["data"]["type"] == "WorkerLost" for one in failed):
            return " ".join(_unfairly_lost(seen, one) for one in failed).strip()
    limit = AGENTS[row.agent].spec.max_attempts
    own = {"raise": "SoakError", "hang": "AgentTimedOut", "fail": "SoakFail"}.get(what)
    if kind == own:
        return ""
    if data.get("attempt", 0) >= limit and seen.attempts_lost(record.task_id) >= limit - 1:
        return ""  # every attempt met some misfortune, the last one this
    return f"it failed with {record.error}"


def _unfairly_lost(seen: Evidence, record: TaskRecord) -> str:
    limit = AGENTS[record.agent].spec.max_attempts
    lost = seen.attempts_lost(record.task_id)
    enough = lost >= limit or seen.witness.acquired[record.task_id] >= limit
    return "" if enough else f"WorkerLost after {lost} lost attempts of {limit}"


def _executions_are_explained(seen: Evidence) -> Iterator[Breach]:
    """A task runs once, once more a resume, and once more a lost attempt; lean at least once."""
    for task_id, record in seen.records.items():
        if record.durability is Durability.LEAN:
            continue
        runs = seen.runs(task_id)
        tokens = [run["v"] for run in runs if run["v"] is not None]
        if len(set(tokens)) < len(tokens):
            yield Breach(law="one-run-a-lease", task_id=task_id, what=f"{runs}")
        allowed = 1 + seen.witness.suspensions(task_id) + seen.attempts_lost(task_id)
        if len(runs) > allowed:
            what = f"{record.agent} ran {len(runs)} times, {allowed} are explained: {runs}"
            yield Breach(law="executions-are-explained", task_id=task_id, what=what)


def _failures_have_letters(seen: Evidence) -> Iterator[Breach]:
    explained = {(letter.agent, letter.task_id) for letter in seen.letters if letter.reason}
    for record in seen.records.values():
        if record.status is not Status.FAILED:
            continue
        error = record.error or {}
        if not error.get("message") or not error.get("data", {}).get("type"):
            yield Breach(law="failures-have-reasons", task_id=record.task_id, what=f"{error}")
        if (record.agent, record.task_id) not in explained:
            what = f"no dead letter of {record.agent} tells why it failed"
            yield Breach(law="failures-have-letters", task_id=record.task_id, what=what)
    for letter in seen.letters:
        if not letter.reason:
            what = f"{letter.agent} has a dead letter without a reason: {letter.body[:200]}"
            yield Breach(law="letters-have-reasons", task_id=letter.task_id or "", what=what)


def _poison_is_put_aside(seen: Evidence) -> Iterator[Breach]:
    put_aside = {letter.body for letter in seen.letters if letter.reason}
    for body, agent in seen.order.poison:
        if body not in put_aside:
            what = f"no dead letter holds {body!r}, sent to {agent}"
            yield Breach(law="poison-is-put-aside", task_id="", what=what)


def _steps_are_recorded_once(seen: Evidence) -> Iterator[Breach]:
    """A step is recorded once, and runs again only where an attempt was lost in between."""
    for (task_id, step), count in seen.witness.steps.items():
        if count > 1:
            what = f"{step} was recorded {count} times"
            yield Breach(law="steps-are-recorded-once", task_id=task_id, what=what)
    for task_id, notes in seen.noted.items():
        ran = Counter(note["step"] for note in notes if note["what"] == "step")
        for step, count in ran.items():
            if count > 1 + seen.attempts_lost(task_id):
                what = f"{step} ran {count} times"
                yield Breach(law="steps-run-once", task_id=task_id, what=what)


def _joins_fire_once(seen: Evidence) -> Iterator[Breach]:
    for task_id, phases in seen.witness.phases.items():
        if phases["waiting"] != phases["children_done"]:
            what = f"{phases['waiting']} waits for children, {phases['children_done']} joins"
            yield Breach(law="joins-fire-once", task_id=task_id, what=what)


def _order_is_kept(seen: Evidence) -> Iterator[Breach]:
    """Tasks of one ordering key return in their order (a failed one lets the next go)."""
    last: dict[str, int] = {}
    keys = {task_id: row.ordering_key for task_id, row in seen.rows.items() if row.ordering_key}
    first: set[str] = set()
    for note in seen.notes:
        task_id = note.get("task")
        if note["what"] != "returned" or task_id not in keys or task_id in first:
            continue
        first.add(task_id)
        key, n = str(keys[task_id]), note["n"]
        if n < last.get(key, -1):
            what = f"{key}: {n} returned after {last[key]}"
            yield Breach(law="order-is-kept", task_id=task_id, what=what)
        last[key] = max(n, last.get(key, -1))


def _all_is_quiet(seen: Evidence) -> Iterator[Breach]:
    for queue, count in seen.left.items():
        yield Breach(law="all-is-quiet", task_id="", what=f"{queue} holds {count} messages")
    for task_id in seen.due:
        yield Breach(law="all-is-quiet", task_id=task_id, what="it stays in the sweep index")
    for problem in seen.problems:
        yield Breach(law="the-soak-itself", task_id="", what=problem)


LAWS = (
    _results_are_right,
    _executions_are_explained,
    _failures_have_letters,
    _poison_is_put_aside,
    _steps_are_recorded_once,
    _joins_fire_once,
    _order_is_kept,
    _all_is_quiet,
)
