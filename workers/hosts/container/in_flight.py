"""The messages a worker holds: kept hidden while it does, deleted when they are done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqswarm.backends.ports.bus import Delivery
from sqswarm.workers.runtime.worker_context import WorkerContext

_LINGER_S = 0.02
"""How long a finished message waits for others, to be deleted with them in one call."""


class InFlightMessages:
    """Messages of one queue that this worker works on."""

    def __init__(self, worker: WorkerContext) -> None:
        """Hold nothing yet."""
        self._worker = worker
        self._held: dict[str, Delivery] = {}
        self._done: list[str] = []
        self._changed = asyncio.Event()
        self._deleting: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        """Return how many messages are held."""
        return len(self._held)

    async def free(self, slots: int, *, unless: asyncio.Event) -> int:
        """Return how many more fit into `slots`, waiting until one does; 0 once `unless` is set."""
        stop = asyncio.create_task(unless.wait())
        try:
            while len(self._held) >= slots and not unless.is_set():
                self._changed.clear()
                change = asyncio.create_task(self._changed.wait())
                await asyncio.wait({stop, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            stop.cancel()
        return 0 if unless.is_set() else slots - len(self._held)

    def hold(self, deliveries: Sequence[Delivery]) -> None:
        """Hold these from now on."""
        self._held.update((delivery.message_id, delivery) for delivery in deliveries)

    def release(self, delivery: Delivery, *, delete: bool) -> None:
        """Hold one no longer; delete it soon, or leave it to come back when it becomes visible."""
        self._held.pop(delivery.message_id, None)
        self._changed.set()
        if delete:
            self._done.append(delivery.receipt)
            if self._deleting is None or self._deleting.done():
                self._deleting = asyncio.create_task(self._delete())

    async def keep_hidden(self) -> None:
        """Keep what is held hidden, for ever: prolonged at a third of the queue's visibility."""
        visibility_s = self._worker.spec.visibility_s
        while True:
            await asyncio.sleep(visibility_s / 3)
            held = list(self._held.values())
            failed = [e for e in await self._hide(held, visibility_s) if e is not None]
            if failed:
                # It may come a second time; whoever gets it finds it leased.
                self._worker.log.warning("hide.failed", error=failed[0], messages=len(failed))

    async def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Let others have these at once."""
        await self._hide(list(deliveries), 0)

    async def flush(self) -> None:
        """Wait until what is done has been deleted."""
        if self._deleting is not None:
            await self._deleting

    async def _hide(self, deliveries: Sequence[Delivery], seconds: int) -> list[str | None]:
        async def hide(delivery: Delivery) -> str | None:
            try:
                await self._worker.bus.hide(self._worker.queue, delivery.receipt, seconds=seconds)
            except Exception as error:
                return repr(error)
            return None

        return await self._worker.runner.gather([hide(delivery) for delivery in deliveries])

    async def _delete(self) -> None:
        while self._done:
            await asyncio.sleep(_LINGER_S)
            receipts, self._done = self._done, []
            try:
                await self._worker.bus.delete(self._worker.queue, receipts)
            except Exception as error:
                # They come again and are found ended.
                self._worker.log.warning("delete.failed", error=repr(error), messages=len(receipts))
