"""Run the benchmarks: `python -m benchmarks [NAME...]`, each of NAMES by default."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks import cold_start, overhead, publish, shapes
from benchmarks.report import Comparison
from sqswarm import Swarm
from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.infra.local.isolated import isolated_emulator
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project

NAMES = ("cold_start", "overhead", "publish", "shapes")
_ON_A_SWARM = frozenset({"overhead", "publish", "shapes"})


def main(names: list[str]) -> int:
    """Run the named benchmarks and return 1 if any falls short of its figure."""
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        print(f"error: no benchmark {', '.join(unknown)}\n  fix: choose from {', '.join(NAMES)}")
        return 2
    wanted = names or NAMES
    results: list[Comparison] = []
    if "cold_start" in wanted:
        results.append(_shown(cold_start.measure()))
    if _ON_A_SWARM & set(wanted):
        results += _on_a_swarm(wanted)
    return 0 if all(result.kept for result in results) else 1


def _shown(result: Comparison) -> Comparison:
    print(result, flush=True)
    return result


def _on_a_swarm(wanted: Collection[str]) -> Iterator[Comparison]:
    with isolated_emulator():
        settings = replace(settings_from_environment(), stage="bench")
        project = find_project(Path(__file__).parent, modules=["benchmarks.agents"])
        deployed = deploy(settings, plan(project, stage="bench"))
        if "shapes" in wanted:
            with Swarm.connect(settings) as swarm:
                yield from map(_shown, shapes.measure(swarm, settings))
        publish.stop_working(deployed.names.function("noop"))
        if "overhead" in wanted:
            yield _shown(overhead.measure())
        if "publish" in wanted:
            with Swarm.connect(settings) as swarm:
                yield _shown(publish.measure(swarm, deployed.names.topic_arn("tasks")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
