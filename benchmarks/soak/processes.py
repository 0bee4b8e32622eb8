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


@dataclass(kw_only=True)
class Processes:
    """The function processes that have noted anything. Times are Unix seconds.

    `died` maps pids to when they were first seen dead: on their own, by Lambda's time-out, by
    SIGKILL of their own or of ours.
    """

    folder: Path
    chance: random.Random
    died: dict[int, float] = field(default_factory=dict)
    killed: int = 0

    def step(self) -> None:
        """Look who is dead."""
        for pid in self._pids():
            if pid not in self.died and not _runs(pid):
                self.died[pid] = time.time()

    def kill_one(self) -> None:
        """Kill a function process that lives, whatever it does just now."""
        living = [pid for pid in self._pids() if pid not in self.died]
        if living:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(living), signal.SIGKILL)
                self.killed += 1

    def _pids(self) -> set[int]:
        return {int(path.name.partition("-")[0]) for path in self.folder.glob("*.jsonl")}

    def notes(self) -> list[dict[str, Any]]:
        """Return all that was noted, in the order of time."""
        found = []
        for path in self.folder.glob("*.jsonl"):
            for line in path.read_text().splitlines():
                with contextlib.suppress(ValueError):  # the last line of one that was killed
                    found.append(json.loads(line))
        return sorted(found, key=lambda noted: noted["at"])


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie: killed, and not yet waited for.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
