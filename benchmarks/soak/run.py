"""Run: one soak on a swarm that is deployed behind a proxy, from order to verdict."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.faults import Proxy, rules
from benchmarks.soak import function_process, order, ruin
from benchmarks.soak.audit import Evidence
from benchmarks.soak.containers import Containers, worker_command
from benchmarks.soak.dispatchers import Dispatchers
from benchmarks.soak.inspector import Inspector
from benchmarks.soak.processes import Processes
from benchmarks.soak.ruin import Ruin
from benchmarks.soak.swarm import deploy_behind, plan_behind
from benchmarks.soak.workload import State, Workload
from sqswarm import Swarm
from sqswarm.backends.aws.connect import client_factory, settings_from_environment

SHORT = 1000
"""A soak of fewer tasks leaves out what takes long."""
_CONTAINERS = 2
STAGE = "soak"


@dataclass(frozen=True, kw_only=True)
class Soak:
    """What to run. `due_grace_s` is how soon housekeeping looks after a recorded task.

    `disk` is the file system of the emulator's files, if it has one to itself.
    """

    tasks: int
    faults: str
    seed: int
    deadline_s: float
    disk: Path | None = None
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

    def run(self, proxy: Proxy, folder: Path) -> Evidence:
        """Deploy and run it; `folder` holds `notes`, the functions', and gets other files."""
        planned = plan_behind(proxy, stage=STAGE, variables=self.variables(proxy, folder / "notes"))
        names = deploy_behind(planned)
        mischief = order.PROFILES[self.faults]
        ordered = order.draw(self.tasks, mischief, self.seed)
        settings = replace(settings_from_environment(), stage=names.stage)
        behind = replace(settings, endpoint_url=proxy.endpoint_url)
        with Swarm.connect(behind) as swarm, Swarm.connect(settings) as beside:
            dispatchers = Dispatchers(
                rows=ordered.rows,
                folder=folder,
                endpoint_url=proxy.endpoint_url,
                stage=names.stage,
                principal=swarm.principal,
                due_grace_s=self.due_grace_s,
                parts=1 + len(mischief.disasters),
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
            processes = Processes(
                folder=folder / "notes", chance=random.Random(f"storm-{self.seed}")
            )
            workload = Workload(
                order=ordered,
                mischief=mischief,
                rates=rules.PROFILES.get(self.faults, rules.NONE),
                proxy=proxy,
                inspector=Inspector(names=names, clients=client_factory(settings)),
                swarm=swarm,
                dispatchers=dispatchers,
                containers=containers,
                processes=processes,
                ruin=Ruin(
                    disasters=mischief.disasters,
                    scale=ruin.LONG if self.tasks >= SHORT else ruin.SHORT,
                    proxy=proxy,
                    swarm=beside,
                    planned=planned,
                    dispatchers=dispatchers,
                    containers=containers,
                    processes=processes,
                    folder=folder,
                    disk=self.disk,
                    patience_s=self.deadline_s,
                ),
                deadline_s=self.deadline_s,
                tell=self.tell,
            )
            return workload.run()
