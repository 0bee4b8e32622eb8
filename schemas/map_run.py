"""Map runs: how a fan-out over many rows is cut, where its rows and results lie, and how it stands.

A run is a task of the agent `map-run`. Its rows lie in the stage's bucket, cut into windows, one
object of JSON Lines each; so do its results, under the same numbers.
"""

from __future__ import annotations

from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.value import dataclass

MAP_RUN = "map-run"
"""The agent whose tasks are map runs, and the parts of one."""

MODULE = "sqswarm.workers.agents.map_run"
"""The module that declares it."""

WINDOW_ROWS = 1000
"""Rows of a window, at most: each is a child task of the one task that a window is."""

WINDOW_BYTES = 4 * 1024 * 1024
"""Bytes of a window's rows, at most, but for a single row: a worker holds them in memory."""

UNDER_WAY = 10_000
"""Rows of a run that are under way at a time, where nothing else is asked for."""

ROUNDS = 10
"""Rounds of a window, at most. Each replay reads the results of the rounds before."""

PARTS = 32
"""Parts that one task of a run waits for, one after another, at most: its journal stays short."""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a run is cut: `rows` of a window, `windows` at a time, `round_rows` of one at a time."""

    rows: int
    windows: int
    round_rows: int

    @classmethod
    def of(cls, concurrency: int) -> Cut:
        """Return the cut of a run of which at most `concurrency` rows are under way."""
        rows = min(WINDOW_ROWS, ROUNDS * concurrency)
        return cls(
            rows=rows,
            windows=max(1, concurrency // rows),
            round_rows=min(rows, concurrency),
        )


def rounds(first: int, last: int, *, windows: int) -> list[list[tuple[int, int]]]:
    """Return the parts of the windows from `first` to before `last`: rounds of what runs together.

    A part is a window, `(n, n + 1)`, or where those are too many, a span of windows that is run
    like this itself. There are PARTS rounds at most.
    """
    size = 1
    if last - first > PARTS * windows:
        size = windows
        while last - first > PARTS * size:
            size *= PARTS
    parts = [(at, min(at + size, last)) for at in range(first, last, size)]
    together = windows if size == 1 else 1
    return [parts[at : at + together] for at in range(0, len(parts), together)]


def prefix(run: str) -> str:
    """Return where the objects of a run, or of its rows, lie: the agent's own payloads."""
    return f"payloads/{MAP_RUN}/{run}/"


def plan_key(rows: str) -> str:
    """Return the key of what says how many rows each window of an upload has."""
    return f"{prefix(rows)}plan.json"


def rows_key(rows: str, window: int) -> str:
    """Return the key of a window's rows."""
    return f"{prefix(rows)}rows-{window:06}.jsonl"


def results_key(run: str, window: int) -> str:
    """Return the key of a window's results: a line for each row, in the rows' order."""
    return f"{prefix(run)}results-{window:06}.jsonl"


def failures_key(run: str, window: int) -> str:
    """Return the key of the lines of a window's failed rows, where it has any."""
    return f"{prefix(run)}failures-{window:06}.jsonl"


@dataclass(frozen=True, kw_only=True)
class RunCounts:
    """How a map run stands.

    `done` rows have ended, `failed` of them failed, as far as their windows are collected: those
    of a window that is under way are not looked at yet. `rate` is rows a second since the run
    began, `estimate_s` the seconds that the rest takes at that rate, None where nobody can say.
    """

    run: str
    agent: str
    """Whom it runs on its rows."""
    started_ms: int
    total: int
    done: int
    failed: int
    status: Status
    paused: bool
    rate: float
    estimate_s: float | None
    results: str
    """The address under which the results lie, `s3://bucket/…/`."""

    @property
    def completed(self) -> int:
        """Return how many rows have ended and are not known to have failed."""
        return self.done - self.failed

    def to_json(self) -> JsonObject:
        """Return the fields."""
        return {
            "run": self.run,
            "agent": self.agent,
            "status": self.status.value,
            "paused": self.paused,
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "rate": round(self.rate, 2),
            "estimateSeconds": None if self.estimate_s is None else round(self.estimate_s, 1),
            "results": self.results,
        }
