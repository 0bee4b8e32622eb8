"""Audit: what a soak left behind, held against what correctness promises."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from benchmarks.faults.witness import Granted, Witness
from benchmarks.soak.agents import AGENTS, value
from benchmarks.soak.counts import Counts, differences
from benchmarks.soak.inspector import DeadLetter
from benchmarks.soak.order import ALWAYS, Order, Row
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.journal import parent_of
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.schemas.task import TaskRecord


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
    skew_s: float = 0.0
    told: Sequence[str] = ()
    """What disasters did."""
    counted: Counts
    """What workers and housekeeping counted, from their log lines."""
    lines_lost: bool = False
    """Whether log lines may be lost although nobody died: where the disk was full."""
    faulty: bool = False
    """Whether calls were kept from their answers."""

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
        """Return how many attempts at a task came to nothing.

        A lean task takes no lease: all its executions did but the one that gave its result.
        """
        record = self.records[task_id]
        if record.durability is Durability.LEAN:
            return len(self.runs(task_id)) - (record.status is Status.COMPLETED)
        return self.witness.lost(task_id)

    def end_of(self, run: Mapping[str, Any]) -> str:
        """Return how an execution under a lease ended; empty where nobody has recorded it.

        Nothing here depends on how long anything took.
        """
        v, process = str(run["v"]), run["process"]
        lease = self.witness.leases[run["task"]].get(v, Granted(v=v))
        if lease.ended:
            return lease.ended
        if lease.refused:
            return "outlived its lease"
        if v in self.let_go:
            return "let its lease go"
        if process in self.died and not self._went_on(run):
            return "died"
        if any(v in text for text in self.given_up):
            return "gave a call up"
        return "unanswered" if any(v in text for text in self.witness.unanswered) else ""

    def _went_on(self, run: Mapping[str, Any]) -> bool:
        """Tell whether a run's process began others after its task was begun again elsewhere."""
        later = [one["at"] for one in self.runs(run["task"]) if one["at"] > run["at"]]
        return bool(later) and self.last_run.get(run["process"], 0.0) > min(later)

    @cached_property
    def last_run(self) -> dict[str, float]:
        """Return when each process began its last execution."""
        return {note["process"]: note["at"] for note in self.notes if note["what"] == "run"}

    @cached_property
    def let_go(self) -> set[str]:
        """Return the leases that a worker gave up renewing."""
        return {note["lease"] for note in self.notes if note["what"] == "let-go"}

    @cached_property
    def given_up(self) -> list[str]:
        """Return the parameters of the calls that failed for good."""
        return [note["params"] for note in self.notes if note["what"] == "gave-up"]


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
    return "" if lost >= limit else f"WorkerLost after {lost} lost attempts of {limit}"


def _executions_are_explained(seen: Evidence) -> Iterator[Breach]:
    """Every execution runs under a lease of its own, and its end is on record; lean is exempt.

    One execution settles, each wait parks one; what else there is has lost its attempt, and
    somebody knows how: not by guessing what misfortune may have done.
    """
    for task_id, record in seen.records.items():
        if record.durability is Durability.LEAN:
            continue
        runs = seen.runs(task_id)
        if len({run["v"] for run in runs}) < len(runs):
            yield Breach(law="one-run-a-lease", task_id=task_id, what=f"{runs}")
        if not record.status.terminal:
            continue  # then the last one may still go on
        for run in runs:
            if not seen.end_of(run):
                what = f"{record.agent} has no end of {run}, one of {len(runs)} runs"
                yield Breach(law="executions-are-explained", task_id=task_id, what=what)


def _leases_are_kept(seen: Evidence) -> Iterator[Breach]:
    """A lease is as long as the agent's spec says, and nobody takes it before it is over.

    Compared is when the proxy saw the heir's acquire accepted: a slow machine makes that later.
    """
    for task_id, leases in seen.witness.leases.items():
        for lease in leases.values():
            record = seen.records.get(task_id)
            if record is not None and lease.at_ms:
                lease_s = AGENTS[record.agent].spec.lease_s
                if lease.length_ms < 1000 * lease_s:
                    what = f"a lease of {lease.length_ms} ms, not {lease_s} s"
                    yield Breach(law="leases-are-kept", task_id=task_id, what=what)
            before = leases.get(lease.after or "")
            if before is None or before.ended:
                continue
            early_ms = before.until_ms - round(1000 * seen.skew_s) - lease.at_ms
            if early_ms > 0:
                what = f"{lease} took over {before}, {early_ms} ms before that was over"
                yield Breach(law="leases-are-kept", task_id=task_id, what=what)


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


def _metrics_add_up(seen: Evidence) -> Iterator[Breach]:
    """Each task's end is counted once, or its worker died, or was not answered, over it."""
    for what in differences(seen):
        yield Breach(law="metrics-add-up", task_id="", what=what)


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
    _leases_are_kept,
    _failures_have_letters,
    _poison_is_put_aside,
    _steps_are_recorded_once,
    _joins_fire_once,
    _order_is_kept,
    _metrics_add_up,
    _all_is_quiet,
)
