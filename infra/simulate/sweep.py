"""Sweep: many storms, one after the other or in several processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from multiprocessing import get_context

from infra.simulate.run import simulate
from infra.simulate.weather import storm_of

_A_PIECE = 50


def violating(seeds: Sequence[int]) -> list[int]:
    """Return those of the seeds whose storms break a law."""
    return [seed for seed in seeds if simulate(storm_of(seed)).violations]


def sweep(first: int, storms: int, *, jobs: int = 1) -> Iterator[tuple[int, list[int]]]:
    """Run storms; yield how many more are done, and which of their seeds broke a law."""
    pieces = (
        range(start, min(start + _A_PIECE, first + storms))
        for start in range(first, first + storms, _A_PIECE)
    )
    if jobs == 1:
        for piece in pieces:
            yield len(piece), violating(piece)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: dict[Future[list[int]], int] = {}
        while True:
            for piece in islice(pieces, 2 * jobs - len(running)):
                running[pool.submit(violating, piece)] = len(piece)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
