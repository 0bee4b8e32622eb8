"""Containers: worker processes beside the functions, killed now and then and started again.

They take a share of the same queues' messages, under leases that they renew.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.soak.swarm import MODULE

_SERVED = ("standard", "kept", "stepper")


def worker_command() -> list[str]:
    """Return how a container worker is started here."""
    sqswarm = Path(sys.executable).with_name("sqswarm")
    return [str(sqswarm), "work", "--agents", MODULE, "--concurrency", "4", *_SERVED]


@dataclass(kw_only=True)
class Containers:
    """Keeps `count` workers running until `stop`; `step` starts what has ended, and counts it."""

    command: Sequence[str]
    count: int
    environ: Mapping[str, str]
    folder: Path
    chance: random.Random
    started: int = 0
    killed: int = 0
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def step(self) -> None:
        """Start a worker for each that is missing."""
        self._running = [process for process in self._running if process.poll() is None]
        while len(self._running) < self.count:
            self.started += 1
            with (self.folder / f"worker{self.started}.log").open("wb") as log:
                self._running.append(
                    subprocess.Popen(
                        self.command,
                        env={**os.environ, **self.environ},
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )

    def kill_one(self) -> None:
        """Kill one of them, whatever it does just now."""
        if self._running:
            self.chance.choice(self._running).kill()
            self.killed += 1

    def kill_all(self) -> int:
        """Kill all of them; return how many there were."""
        running = [process for process in self._running if process.poll() is None]
        for process in running:
            process.kill()
        self.killed += len(running)
        return len(running)

    def lines(self) -> Iterator[str]:
        """Yield what the workers have printed."""
        for number in range(1, self.started + 1):
            yield from (
                (self.folder / f"worker{number}.log").read_text(errors="replace").splitlines()
            )

    def stop(self) -> None:
        """End them all."""
        for process in self._running:
            process.kill()
            process.wait()
        self._running.clear()
