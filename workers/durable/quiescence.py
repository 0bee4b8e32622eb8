"""Quiescence: when nothing of a run is on the move any more, it may be suspended.

Branches that run side by side each wait where they are; the run is over when all of them do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

from sqswarm.schemas.errors import LeaseLost, StepFailed, UsageError
from sqswarm.workers.runtime.outcome import Fail

TICKS = 10
"""Turns of the event loop in which branches that run side by side may still join a wait."""


class Quiescence:
    """One run's movements. `suspended` is set when the run is to be ended by the executor."""

    def __init__(self) -> None:
        """Start with everything on the move."""
        self._reset()

    def _reset(self) -> None:
        self.suspended = asyncio.Event()
        self.closed = False
        self.broke: Exception | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._wants = False
        self._busy = 0
        self._turn = 0

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the run from being suspended: something of it is on the move."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if self._wants:
                self.count_down()

    @asynccontextmanager
    async def machinery(self) -> AsyncIterator[None]:
        """Keep an error of the table, the bus or the bucket from reaching the agent.

        An agent may catch what its steps and children raise, and go on; if it could catch these
        too, its run would take a way that no replay finds again. They end the run instead.
        """
        with self.busy():
            try:
                yield
            except (LeaseLost, UsageError, Fail, StepFailed):
                raise
            except Exception as error:
                if self.closed:  # after the agent's end nobody catches it, and nobody ends the wait
                    raise
                self.broke = error
                self.suspended.set()
            else:
                return
        await self.forever()

    async def forever(self) -> NoReturn:
        """Stay here until the run is over."""
        forever: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(forever)
        await forever
        raise AssertionError  # nobody resolves it

    def count_down(self) -> None:
        """Suspend the run once nothing of it has moved for some turns of the loop."""
        self._wants = True
        self._turn += 1
        asyncio.get_running_loop().call_soon(self._tick, self._turn, TICKS)

    def _tick(self, turn: int, left: int) -> None:
        if turn != self._turn or self._busy:
            return
        if left == 0:
            self.suspended.set()
        else:
            asyncio.get_running_loop().call_soon(self._tick, turn, left - 1)

    def close(self) -> None:
        """End the run's calls: what its branches still do is neither begun nor recorded."""
        self.closed = True
        for future in self._waiting:
            future.cancel()
