"""Sweep: many storms, one after the other or in several processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import partial
from itertools import islice
from multiprocessing import get_context
from types import FrameType

from simulation.run import simulate
from simulation.workload import fault_plan_of

_A_PIECE = 50
_LONGEST_CPU_S = 60.0
"""Processor time of one storm; most need a hundredth of a second."""


class EndlessRunError(Exception):
    """A storm computes for ever within one turn of its loop, where no turn can be counted."""


def violating(seeds: Sequence[int], *, workload: str | None = None) -> list[int]:
    """Return those of the seeds whose storms break an invariant, or do not end at all."""
    found = []
    before = signal.signal(signal.SIGVTALRM, _endless)
    try:
        for seed in seeds:
            signal.setitimer(signal.ITIMER_VIRTUAL, _LONGEST_CPU_S)
            try:
                if simulate(fault_plan_of(seed, workload)).violations:
                    found.append(seed)
            except EndlessRunError as error:
                message = f"storm {seed} has computed for {_LONGEST_CPU_S:.0f} s and does not end"
                raise EndlessRunError(message) from error
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    return found


def _endless(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise EndlessRunError


def sweep(
    first: int, storms: int, *, jobs: int = 1, workload: str | None = None
) -> Iterator[tuple[int, list[int]]]:
    """Run storms; yield how many more are done, and which of their seeds broke an invariant.

    Raises EndlessRunError for a storm that never gives its loop back. A storm that goes on for
    ever in turns of the loop breaks the law `no-stuck`.
    """
    work = partial(violating, workload=workload)
    pieces = (
        range(start, min(start + _A_PIECE, first + storms))
        for start in range(first, first + storms, _A_PIECE)
    )
    if jobs == 1:
        for piece in pieces:
            yield len(piece), work(piece)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quiet)
    running: dict[Future[list[int]], int] = {}
    try:
        while True:
            for piece in islice(pieces, 2 * jobs - len(running)):
                running[pool.submit(work, piece)] = len(piece)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        # Also where the caller stops early: what is under way takes half a second more.
        pool.shutdown(cancel_futures=True)


def _quiet() -> None:
    """Leave Ctrl-C to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
