"""Metrics: a batch's numbers as one line in CloudWatch's embedded metric format.

CloudWatch makes metrics of such lines by itself: no call is made for them. A line has to be JSON
from its first character on, so it goes straight to standard output: a logger would put it into a
line of its own, and a level could drop it.
Source: CloudWatch, "Specification: Embedded metric format".
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from sqswarm.dispatcher.middleware import Middleware, add_middleware
from sqswarm.schemas import metrics
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.metrics import OFF, SWITCH

if TYPE_CHECKING:  # made with the first attempt
    from sqswarm.schemas.heard import Attempt, Batch, Step, TaskEnd

_OF_OUTCOME = {"retried": metrics.RETRIED, "suspended": metrics.SUSPENDED, "parked": metrics.PARKED}
_OF_STATUS = {"completed": metrics.COMPLETED, "failed": metrics.FAILED}
_OTHER = "Other"
_TYPES = 20
"""Error types that one process makes metrics of; further ones are `Other` (each costs money)."""


@cache
def emf_metrics(stage: str) -> EmfMetrics:
    """Return this process's metrics of a stage."""
    return EmfMetrics(stage)


def add_metrics(stage: str, environment: Mapping[str, str]) -> None:
    """Count from now on in this process, unless SQSWARM_METRICS is `off`: for entrypoints."""
    if environment.get(SWITCH) != OFF:
        add_middleware(emf_metrics(stage))


class EmfMetrics(Middleware):
    """Counts what workers and housekeeping do and writes it down, a line a batch.

    A task is counted by whoever recorded its end, so once, in however many batches it came up.
    What is counted and not yet written is lost with the process.
    """

    def __init__(self, stage: str) -> None:
        """Write for `stage`."""
        self._stage = stage
        self._types: set[str] = set()
        self._counts: dict[str, Counter[str]] = {}
        """By agent, since its last line."""

    def after_attempt(self, attempt: Attempt) -> None:
        """Count an attempt."""
        counts = self._of(attempt.agent)
        counts[metrics.STARTED] += 1
        if attempt.outcome not in _OF_STATUS:  # those are tasks' ends
            counts[_OF_OUTCOME.get(str(attempt.outcome), metrics.LOST)] += 1

    def after_task(self, end: TaskEnd) -> None:
        """Count a task's end; cancelled ones are counted by nobody."""
        if end.status not in _OF_STATUS:
            return
        counts = self._of(end.agent)
        counts[_OF_STATUS[end.status]] += 1
        if end.status == "failed":
            counts[metrics.failed_by_type(self._known(end.error_type or "error"))] += 1

    def after_step(self, step: Step) -> None:
        """Count a step, and what a model's turn came to."""
        counts = self._of(step.agent)
        counts[metrics.STEPS] += step.exception is None
        if (turn := step.turn) is not None:
            read = turn.input_tokens + turn.cache_write_tokens + turn.cache_read_tokens
            counts[metrics.INPUT_TOKENS] += read
            counts[metrics.OUTPUT_TOKENS] += turn.output_tokens
            counts[metrics.MICRO_DOLLARS] += turn.micro_usd

    def after_batch(self, batch: Batch) -> None:
        """Write a batch's line; none where nothing was begun or ended in it."""
        self._write(batch.agent, _times(batch), now_ms=batch.ended_ms)

    def flush(self, *, now_ms: int) -> None:
        """Write what was counted beside batches, a line an agent: housekeeping's round is over."""
        for agent in list(self._counts):
            with suppress(OSError):  # a full disk, a closed pipe: no round fails for that
                self._write(agent, {}, now_ms=now_ms)

    def _of(self, agent: str) -> Counter[str]:
        return self._counts.setdefault(agent, Counter())

    def _write(self, agent: str, times: Mapping[str, list[int]], *, now_ms: int) -> None:
        counts = +self._counts.pop(agent, Counter())
        if counts:
            shown: dict[str, int | list[int]] = {
                **dict.fromkeys(metrics.ALWAYS, 0),
                **counts,
                **times,
            }
            # In one write: another thread's line must not stand in its middle.
            sys.stdout.write(emf_line(self._stage, agent, shown, now_ms=now_ms) + "\n")
            sys.stdout.flush()

    def _known(self, error_type: str) -> str:
        if error_type not in self._types:
            if len(self._types) >= _TYPES:
                return _OTHER
            self._types.add(error_type)
        return error_type


def emf_line(stage: str, agent: str, shown: Mapping[str, int | list[int]], *, now_ms: int) -> str:
    """Return the line that says `shown`, an agent's metrics by name; a list has one value a task.

    `now_ms` is the values' time (Unix milliseconds).
    """
    described = [{"Name": name, "Unit": metrics.UNITS.get(name, "Count")} for name in shown]
    line: JsonObject = {
        "_aws": {
            "Timestamp": now_ms,
            "CloudWatchMetrics": [
                {
                    "Namespace": metrics.NAMESPACE,
                    "Dimensions": [list(metrics.DIMENSIONS)],
                    "Metrics": described,
                }
            ],
        },
        metrics.STAGE: stage,
        metrics.AGENT: agent,
        **shown,
    }
    return dumps(line)


def _times(batch: Batch) -> dict[str, list[int]]:
    """Return a batch's values a task: at most ten each, and a hundred fit into a line."""
    found: dict[str, list[int]] = {
        metrics.QUEUE_WAIT: [
            max(0, one.began_ms - one.ready_ms) for one in batch.attempts if one.number == 1
        ],
        metrics.RUN_TIME: [
            one.ended_ms - one.began_ms for one in batch.attempts if one.ended_ms is not None
        ],
        metrics.BATCH_TIME: [
            one.recorded_ms - batch.began_ms
            for one in batch.attempts
            if one.recorded_ms is not None and one.outcome in _OF_STATUS
        ],
        metrics.FAILURE_RATE: [
            100 * (one.outcome in {"retried", "failed"}) for one in batch.attempts
        ],
    }
    return {name: values for name, values in found.items() if values}
