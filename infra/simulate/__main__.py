"""Raise storms: `python -m infra.simulate --storms 20000`; replay one: `--seed 4711`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.simulate.run import simulate
from infra.simulate.story import shrunk, story
from infra.simulate.sweep import sweep
from infra.simulate.weather import storm_of

_STORIES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 1 where a law was broken."""
    parser = argparse.ArgumentParser(prog="python -m infra.simulate", description=__doc__)
    parser.add_argument("--storms", type=int, help="how many (default: 1 with --seed, else 2000)")
    parser.add_argument("--seed", type=int, default=None, help="the first one's seed (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side (default: 1)")
    parser.add_argument("--trace", action="store_true", help="tell a storm that broke no law, too")
    given = parser.parse_args(arguments)
    storms = given.storms or (2000 if given.seed is None else 1)
    first = given.seed or 0
    console = Console(stderr=True)
    broken: list[int] = []
    run = 0
    columns = (TextColumn("storms"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=storms == 1) as progress:
        bar = progress.add_task("storms", total=storms)
        for done, found in sweep(first, storms, jobs=given.jobs):
            run += done
            broken += found
            progress.update(bar, completed=run)
    for seed in sorted(broken)[:_STORIES]:
        law = simulate(storm_of(seed)).violations[0].law
        _say(story(shrunk(storm_of(seed), law)))
    if given.trace and not broken:
        _say(story(simulate(storm_of(first)), everything=True))
    _say(f"storms: {run} run, {len(broken)} violations")
    return 1 if broken else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
