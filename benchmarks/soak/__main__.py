"""Run a soak: `python -m benchmarks.soak --tasks 10000 --faults standard`.

It starts an emulator of its own, deploys the soak's agents behind a fault proxy, submits, waits
until every task has ended, and audits. The last line is the verdict; the exit code is 1 where any
promise was broken.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.faults import Proxy
from benchmarks.soak import order
from benchmarks.soak.audit import audit
from benchmarks.soak.report import details, figures
from benchmarks.soak.ruin import small_disk
from benchmarks.soak.run import SHORT, Soak
from benchmarks.soak.workload import State
from sqswarm.infra.local.isolated import isolated_emulator

_TELL_S = 15
"""How often a log, which has no progress bar, is told how far it is."""
_SHORT_GRACE_S = 15.0
"""Short soaks do not wait the usual minute until housekeeping looks after an orphan."""


def soak(
    *,
    tasks: Annotated[int, typer.Option(min=1, help="how many tasks to submit")] = 10_000,
    faults: Annotated[
        str, typer.Option(help=f"{', '.join(order.PROFILES)}: docs/soak.md")
    ] = "standard",
    seed: Annotated[int, typer.Option(help="what is drawn by chance")] = 1,
    deadline: Annotated[int | None, typer.Option(help="give up after so many seconds")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the numbers as JSON first")] = False,
) -> None:
    """Run thousands of tasks under faults, then hold the outcome against every promise."""
    if faults not in order.PROFILES:
        raise typer.BadParameter(f"{faults!r} is none of {', '.join(order.PROFILES)}")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task("starting", total=tasks, state="")

        told_at = [time.monotonic()]

        def tell(state: State) -> None:
            told = (
                f"{state.ended}/{state.expected} ended ({state.failed} failed), "
                f"{state.submitted} submitted, {state.faults} faults, {state.kills} deaths"
            )
            progress.update(bar, description="soaking", completed=state.ended, state=told)
            if not progress.console.is_terminal and time.monotonic() - told_at[0] > _TELL_S:
                told_at[0] = time.monotonic()
                progress.console.print(told)

        disasters = order.PROFILES[faults].disasters
        with (
            tempfile.TemporaryDirectory(prefix="sqswarm-soak-") as folder,
            small_disk(wanted="full-disk" in disasters) as disk,
            isolated_emulator() as emulator,
            Proxy(emulator.endpoint_url, seed=seed) as proxy,
        ):
            notes = Path(folder, "notes")
            notes.mkdir()
            progress.update(bar, description="deploying")
            plan = Soak(
                tasks=tasks,
                faults=faults,
                seed=seed,
                deadline_s=deadline or max(240, tasks // 8) + 120 * len(disasters),
                disk=disk,
                due_grace_s=_SHORT_GRACE_S if tasks < SHORT else None,
                tell=tell,
            )
            evidence = plan.run(proxy, Path(folder))
            progress.update(bar, description="auditing")
            verdict = audit(evidence)
        progress.update(bar, description="done")
    if as_json:
        print(json.dumps(figures(evidence, verdict, proxy), indent=2))
    for line in details(evidence, verdict, proxy):
        print(line)
    print(verdict)
    sys.exit(0 if verdict.kept else 1)


if __name__ == "__main__":
    typer.run(soak)
