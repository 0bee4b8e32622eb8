"""Counts: the sums of what workers said they did, and what they may have left unsaid.

A worker counts a task once its end is recorded, and says so when its batch is over. What it was
killed over in between is in the records and in no sum; whatever else is missing, or is told twice,
is a breach.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from sqswarm.schemas import metrics
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import TaskRecord

if TYPE_CHECKING:
    from benchmarks.soak.audit import Evidence

Counts = Mapping[str, Mapping[str, int]]
"""Sums by agent and metric."""

_A_BATCH = 10
_NAMES = {Status.COMPLETED: metrics.COMPLETED, Status.FAILED: metrics.FAILED}


def sums_of(lines: Iterable[str]) -> Counts:
    """Return the sums of the metrics among some log lines.

    A line that a full disk tore says nothing; what it would have said is then missing in the sum.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        if metrics.tells_metrics(line):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            counted = {name: n for name, n in told.items() if isinstance(n, int)}
            found[told[metrics.AGENT]].update(counted)
    return found


def differences(seen: Evidence) -> Iterator[str]:
    """Yield where the sums are not what the records are, less what nobody can have said."""
    unsaid_of = _Unsaid(seen)
    for agent in sorted({record.agent for record in seen.records.values()} | seen.counted.keys()):
        counted = seen.counted.get(agent, {})
        for status, name in _NAMES.items():
            ended = [r for r in seen.records.values() if (r.agent, r.status) == (agent, status)]
            unsaid = len(ended) if seen.lines_lost else sum(map(unsaid_of.may_be, ended))
            if not len(ended) - unsaid <= counted.get(name, 0) <= len(ended):
                yield (
                    f"{agent}: {name} sums up to {counted.get(name, 0)}, and of {len(ended)} "
                    f"{status.value} tasks {unsaid} may be missing in it"
                )
        by_type = sum(n for name, n in counted.items() if name.startswith(metrics.FAILED_BY_TYPE))
        if by_type != counted.get(metrics.FAILED, 0):
            yield f"{agent}: {by_type} failed by type, {counted.get(metrics.FAILED, 0)} in all"
    steps = sum(one.get(metrics.STEPS, 0) for one in seen.counted.values())
    if steps > sum(seen.witness.steps.values()):
        yield f"{steps} steps counted, {sum(seen.witness.steps.values())} recorded"


def told(seen: Evidence) -> dict[str, int]:
    """Return how many ends were counted, how many there are, and how many may be unsaid."""
    ended = [record for record in seen.records.values() if record.status in _NAMES]
    sums = seen.counted.values()
    return {
        "counted": sum(one.get(name, 0) for one in sums for name in _NAMES.values()),
        "ended": len(ended),
        "may be unsaid": sum(map(_Unsaid(seen).may_be, ended)),
    }


class _Unsaid:
    """Tells whose end may be in no sum."""

    def __init__(self, seen: Evidence) -> None:
        self._seen = seen
        self._late = _last_runs(seen)

    def may_be(self, record: TaskRecord) -> bool:
        """Tell whether its end may be unsaid: its worker died over it, or got no answer.

        Housekeeping may get none either: what it failed may be unsaid where anything went wrong.
        """
        seen, task_id = self._seen, record.task_id
        if seen.faulty and _error_type(record) == "WorkerLost":
            return True
        runs = seen.runs(task_id)
        settled = [run for run in runs if run["v"] in {None, record.v}] or runs
        if not settled and seen.died:
            return True  # it ended before its first note, as for wrong arguments
        if any((run["process"], run["at"]) in self._late for run in settled):
            return True
        mark = task_id if record.durability.value == "lean" else record.v
        return any(mark in text for text in (*seen.given_up, *seen.witness.unanswered))


def _last_runs(seen: Evidence) -> set[tuple[str, float]]:
    """Return the runs that a dead process may have had in its last batch.

    A function has one batch at a time. A container has several, and an early one may be the last
    to be over.
    """
    runs: dict[str, list[float]] = defaultdict(list)
    agents: dict[str, set[str]] = defaultdict(set)
    for note in seen.notes:
        if note["what"] == "run" and note["process"] in seen.died:
            runs[note["process"]].append(note["at"])
            if (record := seen.records.get(note["task"])) is not None:
                agents[note["process"]].add(record.agent)
    return {
        (process, at)
        for process, moments in runs.items()
        for at in (moments[-_A_BATCH:] if len(agents[process]) == 1 else moments)
    }


def _error_type(record: TaskRecord) -> str:
    return str((record.error or {}).get("data", {}).get("type", ""))
