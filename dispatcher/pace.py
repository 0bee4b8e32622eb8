"""Pace: how many things a bulk act does at once, and how fast."""

from __future__ import annotations

from sqswarm.backends.runner import Runner

AT_ONCE = 10
"""As many as SNS and SQS take in a request."""


class Pace:
    """Several at once as fast as it goes, or as even as it can be at `rate_per_s`."""

    def __init__(self, runner: Runner, rate_per_s: float | None, *, at_once: int = AT_ONCE) -> None:
        """Begin now; without a rate nothing is ever waited for."""
        self._runner = runner
        self._rate_per_s = rate_per_s
        self._since_ms = runner.now_ms()
        # Ten a second are one each tenth of a second, a hundred are ten.
        self.size = at_once if rate_per_s is None else max(1, min(at_once, int(rate_per_s / 10)))

    async def wait(self, done: int) -> None:
        """Wait until the next may be done, so many having been done since the last wait."""
        if self._rate_per_s is None:
            return
        whole_s = done / self._rate_per_s
        passed_s = (self._runner.now_ms() - self._since_ms) / 1000
        # The clock may have been set meanwhile: never longer than that.
        if (left_s := min(whole_s, whole_s - passed_s)) > 0:
            await self._runner.sleep(left_s)
        self._since_ms = self._runner.now_ms()
