"""Dispatchers: the processes that submit a soak's order, some of which are killed at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.soak.order import Row, save
from benchmarks.soak.submitter import DUE_GRACE_S
from sqswarm.schemas.ids import derive_task_id

_SIDE_BY_SIDE = 2
_A_DOOMED = 10
"""Tasks that one killed dispatcher had recorded and not published."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """One process's work: its rows, whether it is killed, and its files' stem.

    It starts when its `part` of the order is released.
    """

    rows: list[Row]
    name: str
    dies: bool = False
    part: int = 0


@dataclass(kw_only=True)
class Dispatchers:
    """Starts the shifts one after another, a few side by side; call `step` now and then.

    `handles` maps row numbers to the task ids that a dispatcher got. `killed` counts those that
    were killed between record and publish. The crowd comes in `parts`, of which so many are
    `released`: set it to release more.
    """

    rows: tuple[Row, ...]
    folder: Path
    endpoint_url: str
    stage: str
    principal: str
    due_grace_s: float | None = None
    parts: int = 1
    released: int = 1
    handles: dict[int, str] = field(default_factory=dict)
    killed: int = 0
    broken: list[str] = field(default_factory=list)
    _shifts: tuple[Shift, ...] = ()
    _todo: list[Shift] = field(default_factory=list)
    _running: list[tuple[Shift, subprocess.Popen[bytes]]] = field(default_factory=list)
    _read: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Divide the rows: orphans first, for they take a minute; half of them are retried last."""
        orphans = [row for row in self.rows if row.orphaned]
        others = [row for row in self.rows if not row.orphaned]
        for agent in sorted({row.agent for row in orphans}):
            # Of one agent each: they are all recorded before the first is published.
            rows = [row for row in orphans if row.agent == agent]
            for n in range(0, len(rows), _A_DOOMED):
                name = f"doomed-{agent}-{n}"
                self._todo.append(Shift(rows=rows[n : n + _A_DOOMED], name=name, dies=True))
        # An ordering key stays with one process: two would not know of each other's order.
        ordered = [row for row in others if row.ordering_key]
        free = [row for row in others if not row.ordering_key]
        for n in range(self.parts * _SIDE_BY_SIDE):
            rows = free[n :: self.parts * _SIDE_BY_SIDE] + (ordered if n == 0 else [])
            if rows:
                self._todo.append(Shift(rows=rows, name=f"crowd{n}", part=n // _SIDE_BY_SIDE))
        self._shifts = tuple(self._todo)
        if self.retried:
            self._todo.append(Shift(rows=self.retried, name="retried", part=self.parts - 1))

    @property
    def retried(self) -> list[Row]:
        """Return the orphans that are submitted again, with the same idempotency key."""
        return [row for row in self.rows if row.orphaned][::2]

    def expected(self) -> dict[int, str]:
        """Return every task that must end, by row: those with a handle, and the orphans."""
        known = dict(self.handles)
        for row in self.rows:
            if row.orphaned and row.number not in known:
                origin = f"{self.principal}\x00{row.agent}"
                known[row.number] = derive_task_id(origin, str(row.key), at_ms=0)
        return known

    @property
    def tasks_released(self) -> int:
        """Return how many tasks are in the parts that are released."""
        return sum(len(shift.rows) for shift in self._shifts if shift.part < self.released)

    @property
    def finished(self) -> bool:
        """True when everything has been submitted."""
        return not self._todo and not self._running

    def step(self) -> None:
        """Read new handles, look who has ended, start who is next."""
        for shift, process in list(self._running):
            code = process.poll()
            self._collect(shift)
            if code is None:
                continue
            self._running.remove((shift, process))
            if shift.dies and code == -9:
                self.killed += 1
            elif shift.dies or code:
                log = self.folder / f"{shift.name}.log"
                self.broken.append(f"dispatcher {shift.name} ended with {code}: {log.read_text()}")
        while self._todo and len(self._running) < _SIDE_BY_SIDE:
            if self._todo[0].part >= self.released:
                break
            if self._todo[0].name == "retried" and any(s.dies for s, _ in self._running):
                break
            shift = self._todo.pop(0)
            self._running.append((shift, self._start(shift)))

    def stop(self) -> None:
        """Kill whoever still submits."""
        self._todo.clear()
        for _, process in self._running:
            process.kill()
            process.wait()
        self._running.clear()

    def _start(self, shift: Shift) -> subprocess.Popen[bytes]:
        rows = self.folder / f"{shift.name}.rows"
        save(shift.rows, rows)
        command = [sys.executable, "-m", "benchmarks.soak.submitter", str(rows)]
        command += [str(self._handles_of(shift)), *(["--die"] if shift.dies else [])]
        environ = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "SQSWARM_STAGE": self.stage,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        if self.due_grace_s is not None:
            environ[DUE_GRACE_S] = str(self.due_grace_s)
        with (self.folder / f"{shift.name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to pass on
            )

    def _handles_of(self, shift: Shift) -> Path:
        return self.folder / f"{shift.name}.handles"

    def _collect(self, shift: Shift) -> None:
        path = self._handles_of(shift)
        if not path.exists():
            return
        with path.open() as file:
            file.seek(self._read.get(shift.name, 0))
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    break  # it is still being written
                told = json.loads(line)
                self.handles[told["row"]] = told["task"]
                self._read[shift.name] = self._read.get(shift.name, 0) + len(line)
