"""How a benchmark reports: a ratio against its baseline, both measured in the same run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two series of seconds, measured alternately, and the ratio of their medians.

    `limit` is the figure of design.md §8 that the ratio must keep; `at_most` tells its direction.
    """

    name: str
    baseline: str
    seconds: Sequence[float]
    baseline_seconds: Sequence[float]
    limit: float
    at_most: bool

    @property
    def ratio(self) -> float:
        """Return the median time relative to the baseline's (`at_most`), or its inverse."""
        ours, theirs = statistics.median(self.seconds), statistics.median(self.baseline_seconds)
        return ours / theirs if self.at_most else theirs / ours

    @property
    def kept(self) -> bool:
        """True where the ratio keeps its limit."""
        return self.ratio <= self.limit if self.at_most else self.ratio >= self.limit

    def __str__(self) -> str:
        """Return one line: the ratio, its limit, and the spread of both series."""
        sign = "<=" if self.at_most else ">="
        return (
            f"{self.name} / {self.baseline}: {self.ratio:.2f} (wanted {sign} {self.limit}) "
            f"{'ok' if self.kept else 'FALLS SHORT'}; "
            f"ours {_spread(self.seconds)}, baseline {_spread(self.baseline_seconds)}"
        )


def alternate(
    ours: Callable[[], float], baseline: Callable[[], float], *, rounds: int
) -> tuple[list[float], list[float]]:
    """Measure both in turns, so that whatever else the machine does falls on both."""
    pairs = [(ours(), baseline()) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _spread(seconds: Sequence[float]) -> str:
    low, middle, high = min(seconds), statistics.median(seconds), max(seconds)
    return f"{1000 * low:.0f}/{1000 * middle:.0f}/{1000 * high:.0f} ms"
