"""Run the benchmarks: `python -m benchmarks [cold_start] [publish]`, all by default."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from backends.connect import settings_from_environment
from benchmarks import cold_start, publish
from benchmarks.report import Comparison
from dispatcher import Swarm
from infra.deploy import deploy
from infra.local.apart import apart
from infra.plan import plan
from infra.project import find_project

NAMES = ("cold_start", "publish")


def main(names: list[str]) -> int:
    """Run the named benchmarks and return 1 if any falls short of its figure."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"error: no benchmark {', '.join(unknown)}\n  fix: choose from {', '.join(NAMES)}")
        return 2
    wanted = names or NAMES
    results: list[Comparison] = []
    if "cold_start" in wanted:
        results.append(cold_start.measure())
        print(results[-1], flush=True)
    if "publish" in wanted:
        results.append(_with_a_swarm())
        print(results[-1], flush=True)
    return 0 if all(result.kept for result in results) else 1


def _with_a_swarm() -> Comparison:
    with apart():
        settings = replace(settings_from_environment(), stage="bench")
        project = find_project(Path(__file__).parent, modules=["benchmarks.agents"])
        deployed = deploy(settings, plan(project, stage="bench"))
        publish.stop_working(deployed.names.function("noop"))
        with Swarm.connect(settings) as swarm:
            return publish.measure(swarm, deployed.names.topic_arn("tasks"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
