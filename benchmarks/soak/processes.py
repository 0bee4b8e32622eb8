"""Processes: the functions' own, watched for deaths and now and then killed from outside."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_CLOCK_TICK_S = 2.0
"""How exactly it is known when a process began (the boot time has whole seconds), and more."""


@dataclass(kw_only=True)
class Processes:
    """The function processes that have noted anything. Times are Unix seconds.

    `died` maps them to when they were first seen dead: on their own, by Lambda's time-out, by
    SIGKILL of their own or of ours. A process is named by its pid and the time of its beginning
    in nanoseconds, for a pid is soon another's.
    """

    folder: Path
    chance: random.Random
    died: dict[str, float] = field(default_factory=dict)
    killed: int = 0

    def step(self) -> None:
        """Look who is dead."""
        for process in self._all():
            if process not in self.died and not _runs(process):
                self.died[process] = time.time()

    def kill_one(self) -> None:
        """Kill a function process that lives, whatever it does just now."""
        if living := sorted(self._all() - self.died.keys()):
            self._kill(self.chance.choice(living))

    def kill_all(self) -> int:
        """Kill every function process that lives; return how many there were."""
        before = self.killed
        for process in self._all() - self.died.keys():
            self._kill(process)
        return self.killed - before

    def _kill(self, process: str) -> None:
        if _runs(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(_pid(process), signal.SIGKILL)
                self.killed += 1

    def _all(self) -> set[str]:
        return {path.stem for path in self.folder.glob("*.jsonl")}

    def notes(self) -> list[dict[str, Any]]:
        """Return all that was noted, in the order of time."""
        found = []
        for path in self.folder.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last line of one that was killed
                    found.append(json.loads(line))
        return sorted(found, key=lambda noted: noted["at"])


def _pid(process: str) -> int:
    return int(process.partition("-")[0])


def _runs(process: str) -> bool:
    """Tell whether a process still runs: one of its number that began no later than it did."""
    pid, _, named_ns = process.partition("-")
    try:
        found = psutil.Process(int(pid))
        begun_s = found.create_time()
        return begun_s <= int(named_ns) / 1e9 + _CLOCK_TICK_S and (
            found.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False
