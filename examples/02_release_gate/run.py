"""Take a release through its gate: look at a hundred files, ask you, wait, publish a report."""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from story import Line, steps_done, whole_story

from sqswarm import Swarm, Task
from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.infra.deploy import Reports, deploy
from sqswarm.infra.local import ensure_running
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.lifecycle import Status

HERE = Path(__file__).parent
STAGE = "gate"
STEPS = 3
POLL_S = 0.3
PATIENCE_S = 900


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gate and return the exit code: 0 released or refused by you, 1 when it failed."""
    options = _options(argv)
    console = Console()
    try:
        settings = ensure_running(stage=STAGE, progress=console.print)
        deployed = deploy(settings, plan(find_project(HERE), stage=STAGE), Reports())
        with Swarm.connect(settings) as swarm, _chaos(options.kill, console):
            task = swarm.submit(
                "gate",
                folder=str(options.folder.resolve()),
                version=options.version,
                out=str(options.out.resolve()),
                limit=options.limit,
            )
            console.print(f"task {task.id}", highlight=False)
            _follow(swarm, task, options, console)
            outcome = task.result(timeout=PATIENCE_S)
        wanted = STEPS if outcome["approved"] else STEPS - 1
        names = names_of(replace(settings, account=deployed.names.account))
        lines = whole_story(client_factory(settings), names, "gate", task.id, steps=wanted)
    except SwarmError as error:
        console.print(f"error: {error}\n  fix: {error.hint}", markup=False, highlight=False)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("stopped looking: the task goes on; `sqswarm --stage gate list` shows it")
        return 130
    return _tell(lines, outcome, wanted, console)


def _follow(swarm: Swarm, task: Task, options: argparse.Namespace, console: Console) -> None:
    """Show what the task waits for, and answer its question."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("inspecting files", total=options.limit)
        told = False
        while not (status := task.status()).terminal:
            with suppress(SwarmError):  # not recorded yet
                record = swarm.get(task.id).record
                if record.pending:
                    progress.update(bar, completed=options.limit - len(record.pending))
                if status is Status.INPUT_REQUIRED and not told:
                    progress.stop()
                    told = _answer(task, record.asks["release"]["message"], options, console)
            time.sleep(POLL_S)


def _answer(task: Task, question: str, options: argparse.Namespace, console: Console) -> bool:
    """Answer, or say how somebody can; return True: it is told once."""
    console.print(question, highlight=False)
    if options.yes:
        approved = True
    elif sys.stdin.isatty():
        approved = console.input("release it? [y/N] ").strip().lower() in {"y", "yes"}
    else:
        how = f"sqswarm --stage {STAGE} answer {task.id} release '{{\"approved\": true}}'"
        console.print(f"waiting for somebody to say:\n  {how}", highlight=False, soft_wrap=True)
        return True
    task.answer("release", {"approved": approved})
    return True


def _tell(lines: list[Line], outcome: dict[str, object], wanted: int, console: Console) -> int:
    table = Table("when", "worker", "what happened", title="The story, as its workers logged it")
    for line in lines:
        table.add_row(
            f"{line.at.astimezone():%H:%M:%S.%f}"[:-3], line.run, f"{line.event} {line.what}"
        )
    console.print(table)
    done = steps_done(lines)
    for step, times in done.items():
        console.print(f"step {step!r}: done {times} time{'' if times == 1 else 's'}")
    verdict = f"released, see {outcome['report']}" if outcome["approved"] else "not released"
    console.print(
        f"{outcome['version']}: {outcome['files']} files, {outcome['lines']:,} lines; {verdict}",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if len(done) == wanted and set(done.values()) == {1} else 1


@contextmanager
def _chaos(kills: int, console: Console) -> Iterator[None]:
    """Meanwhile kill the process of one of the stage's functions now and then, `kills` times."""
    ended = threading.Event()

    def kill() -> None:
        left = kills
        while left and not ended.wait(random.uniform(0.5, 2.0)):
            victims = list(_workers())
            if victims:
                agent, process = random.choice(victims)
                with suppress(psutil.Error):
                    process.kill()
                    left -= 1
                    console.print(f"killed a worker of {agent} (pid {process.pid})")

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _workers() -> Iterator[tuple[str, psutil.Process]]:
    """Yield the processes of the stage's functions on this machine, by agent."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment = process.environ()
            here = endpoint in {None, environment.get("AWS_ENDPOINT_URL")}
            if here and environment.get("SQSWARM_STAGE") == STAGE:
                yield environment["SQSWARM_AGENT"], process


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="run.py",
        description="Take a release through its gate, on the local AWS.",
        epilog="Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 no swarm, 4 timed out.",
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=HERE.parents[1], help="default: this repository"
    )
    parser.add_argument("--version", default="1.0.0", help="what is released")
    parser.add_argument("--limit", type=int, default=100, help="files to look at: the largest")
    parser.add_argument("--out", type=Path, default=Path("release.md"), help="the report")
    parser.add_argument("--yes", action="store_true", help="approve without asking")
    parser.add_argument(
        "--kill", type=int, default=0, metavar="N", help="kill N workers (SIGKILL) on the way"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
