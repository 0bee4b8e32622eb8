"""Review the dependencies of a Python project: collect, publish, join, report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from collect import collect
from dependency_review.package import Package
from dependency_review.summary import KEY_PARAMETER
from fan_out import FanOut
from report import record, table, write
from rich.console import Console

from sqswarm import Swarm
from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.infra.deploy import Reports, deploy
from sqswarm.infra.local import ensure_running
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.errors import NotDeployed, SwarmError, Unreachable

HERE = Path(__file__).parent
INTERRUPTED = 130
SHOWN_RUNNING = 8


def main(argv: Sequence[str] | None = None, *, swarm: Any = None) -> int:
    """Run the review and return the exit code: 0 when no task failed, 1 when one did."""
    options = _options(argv)
    # With --json, standard output belongs to the JSON alone.
    console = Console(stderr=options.json, highlight=False, soft_wrap=True)
    try:
        packages = collect(
            site_packages=options.path, requirements=options.requirements, limit=options.limit
        )
    except FileNotFoundError as error:
        console.print(f"error: there is no {error}", markup=False)
        return 2
    if not packages:
        console.print("error: no distribution found there")
        return 2
    try:
        return _review(swarm or _connect(console), packages, options, console)
    except SwarmError as error:
        console.print(f"error: {error}\n  fix: {error.hint}", markup=False)
        return error.exit_code


def _connect(console: Console) -> Swarm:
    """Return the swarm. Where none is deployed, start the local AWS and deploy to that."""
    try:
        return Swarm.connect()
    except (Unreachable, NotDeployed):
        settings = ensure_running(progress=console.print)
        deploy(settings, plan(find_project(HERE), stage=settings.stage), Reports())
        return Swarm.connect(settings)


def _review(
    swarm: Swarm, packages: list[Package], options: argparse.Namespace, console: Console
) -> int:
    key = os.environ.get("ANTHROPIC_API_KEY")
    if key and (settings := settings_from_environment()).local:
        # Where the `summary` agent reads it. In an AWS account that is its owner's to do.
        client(settings, "ssm").put_parameter(
            Name=KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True
        )
    run = FanOut(swarm=swarm, packages=packages, timeout_s=options.timeout, with_summary=bool(key))
    with console.status("reviewing") as status:
        run.on_change = lambda run: status.update(
            f"reviewing: {run.completed + run.failed} of {run.submitted} tasks"
        )
        try:
            data = record(run.run(), run)
        except KeyboardInterrupt:
            names = [f"{agent} of {review.package.name}" for agent, review in run.running.values()]
            console.print(
                f"stopped: {len(names)} tasks are still running in the swarm and will finish there",
                *names[:SHOWN_RUNNING],
                sep="\n  ",
                markup=False,
            )
            return INTERRUPTED
    paths = write(data, options.out)
    if options.json:
        print(json.dumps(data, ensure_ascii=False))
    console.print(table(data, console.width))
    console.print(*paths, markup=False)
    console.print(
        f"tasks: {run.submitted} submitted, {run.completed} completed, {run.failed} failed"
    )
    return 1 if run.failed else 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Review the dependencies of a Python project on a running swarm.",
        epilog="Exit codes: 0 done, 1 a task failed, 2 wrong usage, 3 no swarm, 4 timed out.",
    )
    source, add = parser.add_mutually_exclusive_group(), parser.add_argument
    source.add_argument(
        "--requirements", type=Path, metavar="FILE", help="review what FILE names and that needs"
    )
    source.add_argument(
        "--path", type=Path, metavar="DIR", help="review another environment's site-packages"
    )
    add("--out", type=Path, default=Path(), metavar="DIR", help="where the reports go")
    add("--limit", type=int, metavar="N", help="review only the first N distributions")
    add("--timeout", type=float, default=900.0, metavar="S", help="give up a stage after S seconds")
    add("--json", action="store_true", help="print report.json to standard output")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
