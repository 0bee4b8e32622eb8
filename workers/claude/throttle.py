"""Throttle: when the API tells one worker to wait, all of them do, and come back spread out."""

from __future__ import annotations

from sqswarm.schemas import protocol
from sqswarm.schemas.writes import Refused
from sqswarm.workers.runtime.worker_context import WorkerContext

_LOOK_EVERY_MS = 1000
_SPREAD_MS = 1000
_KEPT_S = 24 * 3600


class Throttled(Exception):
    """The API answered 429 or 529. `after_s` is how long it wants us to wait, where it says so."""

    def __init__(self, status: int, after_s: float | None) -> None:
        """Keep what the answer said."""
        super().__init__(f"the API answered {status}")
        self.status = status
        self.after_s = after_s


class Throttle:
    """One account's pauses, shared over the table: it is read at most once a second."""

    def __init__(self, worker: WorkerContext, whom: str) -> None:
        """Share pauses of all calls to `whom`."""
        self._worker = worker
        self._whom = whom
        self._until_ms = 0
        self._looked_ms = 0

    async def wait_ms(self) -> int:
        """Return how long a call that is about to start has to wait; 0 for not at all."""
        now = self._worker.now_ms()
        if now - self._looked_ms >= _LOOK_EVERY_MS:
            self._looked_ms = now
            item = await self._worker.store.read(protocol.pause_key(self._whom))
            self._until_ms = max(self._until_ms, item["until"] if item else 0)
        if self._until_ms <= now:
            return 0
        return self._until_ms - now + round(_SPREAD_MS * self._worker.runner.jitter())

    async def note(self, throttled: Throttled, *, times: int) -> None:
        """Tell every worker to wait, longer each time a call is refused again."""
        asked_s = throttled.after_s if throttled.after_s is not None else 0.5
        now = self._worker.now_ms()
        until = now + round(1000 * asked_s * min(2.0 ** (times - 1), 8.0))
        if until <= self._until_ms:
            return
        self._until_ms = until
        expires_s = until // 1000 + _KEPT_S
        for known in (True, False):
            write = protocol.pause(self._whom, known=known, until_ms=until, expires_s=expires_s)
            outcome = await self._worker.store.write(write)
            if not isinstance(outcome, Refused) or outcome.item is not None:
                return
