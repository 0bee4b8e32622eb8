"""Try to break the task protocol: the whole swarm in one process, on virtual time, in storms.

A storm is made of its seed: a few orders (tasks that fail, wait, ask, sleep, have children, are
cancelled and redriven) and what goes wrong (crashes, lost answers, late requests, processes that
stand still, messages doubled, lost and held up, wrong clocks). After it every law is checked.
An invariant that is broken is told as a story, of the smallest storm that still breaks it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if not __package__:  # run as a folder: `python tests/simulation`
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from simulation.campaign import EndlessRunError, sweep
from simulation.counterexample import counterexample, shrunk
from simulation.invariants import INVARIANTS, name_of
from simulation.run import simulate
from simulation.workload import WORKLOADS, fault_plan_of

_STORIES = 3
_DEFAULT = 2000
_INTERRUPTED = 130
"""Source: shells, exit code of a program that Ctrl-C ended."""

_EXAMPLES = """examples:
  python tests/simulation --storms 20000 --jobs 2    a sweep; exit code 1 if an invariant is broken
  python tests/simulation --seed 4711 --trace        one storm, told from beginning to end
  python tests/simulation --workload zombies          slow processes that lose their leases
  python tests/simulation --invariants                     what is checked
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 1 where an invariant was broken."""
    given = _parser().parse_args(arguments)
    if given.invariants:
        for invariant in INVARIANTS:
            words = " ".join((invariant.__doc__ or "").split())
            _say(f"{name_of(invariant):<28} {words}")
        return 0
    storms = given.storms or (_DEFAULT if given.seed is None else 1)
    first = given.seed or 0
    broken, run, why = _swept(first, storms, given)
    if given.json:
        _say(json.dumps(_report(sorted(broken), run, given.workload)))
    else:
        _tell(sorted(broken), given)
        if given.trace and not broken and run:
            _say(counterexample(simulate(fault_plan_of(first, given.workload)), everything=True))
        _say(f"storms: {run} run, {len(broken)} violations{why}")
    if broken:
        return 1
    return _INTERRUPTED if why else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python tests/simulation",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--storms", type=int, help=f"how many (default: 1 with --seed, else {_DEFAULT:,})")
    add("--seed", type=int, default=None, help="the first one's seed (default: 0)")
    add("--workload", choices=list(WORKLOADS), help="only storms of this kind (default: any)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    add("--trace", action="store_true", help="tell the first storm though it broke no invariant")
    add(
        "--json", action="store_true", help="one JSON object: seeds, invariants and what broke them"
    )
    add("--invariants", action="store_true", help="list the invariants and stop")
    return parser


def _swept(first: int, storms: int, given: argparse.Namespace) -> tuple[list[int], int, str]:
    """Return the seeds that broke an invariant, how many storms were run, and why not all were."""
    console = Console(stderr=True)
    broken: list[int] = []
    run, began = 0, time.monotonic()
    jobs = given.jobs if storms > 1 else 1
    columns = (TextColumn("storms"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = storms > 1 and console.is_terminal
    why = ""
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        bar = progress.add_task("storms", total=storms)
        try:
            for done, found in sweep(first, storms, jobs=jobs, workload=given.workload):
                run += done
                broken += found
                progress.update(bar, completed=run)
        except KeyboardInterrupt:
            why = ", interrupted"
        except EndlessRunError as error:
            why = f", stopped: {error}"
    if shown:
        console.print(f"{run / (time.monotonic() - began):.0f} storms a second")
    return broken, run, why


def _tell(broken: Sequence[int], given: argparse.Namespace) -> None:
    for seed in broken[:_STORIES]:
        fault_plan = fault_plan_of(seed, given.workload)
        _say(counterexample(shrunk(fault_plan, simulate(fault_plan).violations[0].invariant)))
    if len(broken) > _STORIES:
        _say(f"and the storms of {', '.join(map(str, broken[_STORIES:]))}")


def _report(broken: Sequence[int], run: int, workload: str | None) -> dict[str, object]:
    found = [
        {"seed": seed, "law": one.invariant, "task": one.task_id, "what": one.what}
        for seed in broken
        for one in simulate(fault_plan_of(seed, workload)).violations
    ]
    return {"storms": run, "broken": len(broken), "workload": workload, "violations": found}


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
