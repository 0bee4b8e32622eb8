"""Review the dependencies of a Python project: collect, publish, join, report."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from collect import collect
from dependency_review.package import Package
from dependency_review.profile import JOINED
from dependency_review.summary import KEY_PARAMETER
from fan_out import FanOut, SwarmCalls, Tally
from report.page import page
from report.record import record
from report.terminal import attention_table, headline
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

INTERRUPTED = 130
SHOWN_RUNNING = 8


def main(argv: Sequence[str] | None = None, *, swarm: SwarmCalls | None = None) -> int:
    """Run the review and return the exit code: 0 when no task failed, 1 when one did."""
    options = _options(argv)
    # With --json, standard output belongs to the JSON alone.
    console = Console(stderr=options.json)
    try:
        packages = collect(
            site_packages=options.path, requirements=options.requirements, limit=options.limit
        )
    except FileNotFoundError as error:
        console.print(f"error: there is no {error}", style="red", markup=False)
        return 2
    if not packages:
        console.print("error: no distribution found there", style="red")
        return 2
    from sqswarm.schemas.errors import SwarmError

    try:
        if swarm is None:
            from sqswarm import Swarm

            swarm = Swarm.connect()
        return _review(swarm, packages, options, console)
    except SwarmError as error:
        console.print(f"error: {error}\n  fix: {error.hint}", markup=False, highlight=False)
        return error.exit_code


def _review(
    swarm: SwarmCalls, packages: list[Package], options: argparse.Namespace, console: Console
) -> int:
    with_summary = _hand_over_key(os.environ.get("ANTHROPIC_API_KEY"))
    total = len(packages) * (len(JOINED) + 1 + with_summary)
    with Progress(
        TextColumn("reviewing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("reviewing", total=total)

        def show(tally: Tally) -> None:
            progress.update(bar, completed=tally.completed + tally.failed)

        fan_out = FanOut(
            swarm, packages, timeout_s=options.timeout, with_summary=with_summary, on_change=show
        )
        try:
            reviews = fan_out.run()
        except KeyboardInterrupt:
            progress.stop()
            _say_interrupted(console, fan_out.tally)
            return INTERRUPTED
    options.out.mkdir(parents=True, exist_ok=True)
    data = record(reviews, fan_out.tally)
    (options.out / "report.json").write_text(
        json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (options.out / "report.html").write_text(page(reviews, data), encoding="utf-8")
    if options.json:
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    console.print(attention_table(reviews, width=console.width))
    console.print(headline(reviews), highlight=False)
    console.print(
        f"{options.out / 'report.html'}  {options.out / 'report.json'}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(fan_out.tally.line(), markup=False, highlight=False, soft_wrap=True)
    return 1 if fan_out.tally.failed else 0


def _hand_over_key(key: str | None) -> bool:
    """Put the Anthropic key where the `summary` agent reads it, and tell whether there is one.

    On a local endpoint only: in an AWS account the parameter is its owner's to set.
    """
    if not key:
        return False
    from sqswarm.backends.aws.connect import client, settings_from_environment

    settings = settings_from_environment()
    if settings.local:
        client(settings, "ssm").put_parameter(
            Name=KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True
        )
    return True


def _say_interrupted(console: Console, tally: Tally) -> None:
    running = sorted(tally.running.values())
    console.print(
        f"stopped: {len(running)} tasks are still running in the swarm and will finish there",
        highlight=False,
    )
    for name in running[:SHOWN_RUNNING]:
        console.print(f"  {name}", markup=False, highlight=False)
    if len(running) > SHOWN_RUNNING:
        console.print(
            f"  and {len(running) - SHOWN_RUNNING} more: `sqswarm list --status working`",
            highlight=False,
        )


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Review the dependencies of a Python project on a running swarm.",
        epilog="Exit codes: 0 done, 1 a task failed, 2 wrong usage, 3 no swarm, 4 timed out.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--requirements",
        type=Path,
        metavar="FILE",
        help="review what FILE names and what that needs, as far as it is installed here",
    )
    source.add_argument(
        "--path",
        type=Path,
        metavar="SITE_PACKAGES",
        help="review another environment's site-packages",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the reports go (default: here)",
    )
    parser.add_argument(
        "--limit", type=_positive, metavar="N", help="review only the first N distributions"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="give up waiting after this long per stage (default: 900)",
    )
    parser.add_argument("--json", action="store_true", help="print report.json to standard output")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        message = f"{text} is not a positive number"
        raise argparse.ArgumentTypeError(message)
    return number


if __name__ == "__main__":
    sys.exit(main())
