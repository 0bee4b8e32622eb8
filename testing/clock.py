"""VirtualClock: time that moves when a test says so, and when the code under test sleeps."""

from __future__ import annotations

from sqswarm.backends.runner import AsyncRunner

START_MS = 1_800_000_000_000
"""January 2027."""


class VirtualClock(AsyncRunner):
    """A runner whose wall clock stands still between calls. `ms` is Unix milliseconds."""

    def __init__(self) -> None:
        """Begin in January 2027."""
        self.elapsed_s = 0.0

    @property
    def ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return START_MS + round(1000 * self.elapsed_s)

    def now_ms(self) -> int:
        """Return the time (Unix epoch, milliseconds)."""
        return self.ms

    def advance(self, *, seconds: float) -> None:
        """Let time pass."""
        self.elapsed_s += seconds

    async def sleep(self, seconds: float) -> None:
        """Let as much time pass, at once."""
        self.advance(seconds=seconds)

    def jitter(self) -> float:
        """Return the middle: what is spread by chance is where a test expects it."""
        return 0.5
