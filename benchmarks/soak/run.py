"""Run: one soak on a swarm that is deployed behind a proxy, from order to verdict."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.faults import Proxy, rules
from benchmarks.soak import function_process, order
from benchmarks.soak.audit import Evidence
from benchmarks.soak.containers import Containers, worker_command
from benchmarks.soak.dispatchers import Dispatchers
from benchmarks.soak.inspector import Inspector
from benchmarks.soak.workload import State, Workload
from sqswarm import Swarm
from sqswarm.backends.aws.connect import client_factory, settings_from_environment
from sqswarm.schemas.naming import Names

SHORT = 1000
"""A soak of fewer tasks leaves out what takes long."""
_CONTAINERS = 2


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What to run. `due_grace_s` is how soon housekeeping looks after a recorded task."""

    tasks: int
    faults: str
    seed: int
    deadline_s: float
    due_grace_s: float | None = None
    tell: Callable[[State], None] = field(default=lambda _: None)

    def variables(self, proxy: Proxy, notes: Path) -> dict[str, str]:
        """Return what the functions' environment has to say for this soak."""
        mischief = order.PROFILES[self.faults]
        return {
            function_process.NOTES: str(notes),
            function_process.SEED: str(self.seed),
            function_process.SKEW_S: str(mischief.skew_s),
            function_process.DUPLICATES: str(mischief.redelivered),
            function_process.ORDERED_TOO: "1" if self.tasks >= SHORT else "",
            function_process.EMULATOR: proxy.upstream,
        }

    def run(self, proxy: Proxy, names: Names, folder: Path) -> Evidence:
        """Run it; `folder` holds `notes`, the functions', and gets the dispatchers' files."""
        mischief = order.PROFILES[self.faults]
        ordered = order.draw(self.tasks, mischief, self.seed)
        settings = replace(settings_from_environment(), stage=names.stage)
        with Swarm.connect(replace(settings, endpoint_url=proxy.endpoint_url)) as swarm:
            dispatchers = Dispatchers(
                rows=ordered.rows,
                folder=folder,
                endpoint_url=proxy.endpoint_url,
                stage=names.stage,
                principal=swarm.principal,
                due_grace_s=self.due_grace_s,
            )
            containers = Containers(
                command=worker_command(),
                count=_CONTAINERS,
                environ={
                    **self.variables(proxy, folder / "notes"),
                    "AWS_ENDPOINT_URL": proxy.endpoint_url,
                    "SQSWARM_STAGE": names.stage,
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
                folder=folder,
                chance=random.Random(f"containers-{self.seed}"),
            )
            workload = Workload(
                order=ordered,
                mischief=mischief,
                rates=rules.PROFILES[self.faults],
                proxy=proxy,
                inspector=Inspector(names=names, clients=client_factory(settings)),
                swarm=swarm,
                dispatchers=dispatchers,
                containers=containers,
                notes=folder / "notes",
                seed=self.seed,
                deadline_s=self.deadline_s,
                tell=self.tell,
            )
            return workload.run()
