"""Poller: take one agent's messages as fast as there are slots for them, and no faster."""

from __future__ import annotations

import asyncio

from sqswarm.backends.ports.bus import Delivery
from sqswarm.schemas.errors import NotDeployed
from sqswarm.workers.hosts.container.in_flight import InFlightMessages
from sqswarm.workers.runtime.acquire import Disposition
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext

WAIT_S = 5
"""Length of a long poll, seconds. SQS takes up to 20, but a poll that is cut off may have been
given messages that then stay invisible, so a stopping worker waits for its last one."""

_A_RECEIVE = 10
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Poller:
    """One agent's loop: receive, hand to the runtime, delete what is done."""

    def __init__(self, worker: WorkerContext, *, slots: int) -> None:
        """Work on at most `slots` tasks at a time; compiles the agent's signature."""
        self.worker = worker
        self.runtime = Runtime(worker, slots=slots)
        self._slots = slots
        self._in_flight = InFlightMessages(worker)
        self._batches: set[asyncio.Task[None]] = set()
        self._giving_up = asyncio.Event()
        self._may_poll = asyncio.Event()
        self._may_poll.set()
        self._seen_s = worker.runner.monotonic()
        self.runtime.keep_leases(self._giving_up)

    @property
    def busy(self) -> int:
        """Return how many tasks are in flight."""
        return self._in_flight.held

    def pause(self, *, paused: bool) -> None:
        """Take no more messages, or take them again; what is in flight goes on."""
        if paused is self._may_poll.is_set():
            self.worker.log.info("worker.paused" if paused else "worker.resumed")
        (self._may_poll.clear if paused else self._may_poll.set)()

    @property
    def silent_s(self) -> float:
        """Return how many seconds ago SQS answered last; a paused one does not ask."""
        if not self._may_poll.is_set():
            return 0.0
        return self.worker.runner.monotonic() - self._seen_s

    async def run(self, stopping: asyncio.Event, *, grace_s: float) -> None:
        """Work until `stopping` is set, or a thread hangs, then drain.

        What is in flight gets `grace_s` seconds from then on; what is not done by then is handed
        back. Raises NotDeployed without a queue; whatever else keeps SQS from answering is waited
        out: said once, then tried ever more seldom.
        """
        keeper = asyncio.create_task(self._in_flight.keep_hidden())
        stop = asyncio.create_task(stopping.wait())
        polling = asyncio.create_task(self._poll(stopping))
        try:
            await asyncio.wait({polling, stop}, return_when=asyncio.FIRST_COMPLETED)
            await self._drain(grace_s)
            await polling
        finally:
            for task in (keeper, stop, polling):
                task.cancel()
            await self._in_flight.flush()

    async def _poll(self, stopping: asyncio.Event) -> None:
        failures = 0
        while not stopping.is_set() and not self.runtime.hung:
            free = await self._in_flight.free(self._slots, unless=stopping)
            if not free or not await self._let_poll(stopping):
                continue
            try:
                deliveries = await self._receive(min(free, _A_RECEIVE))
            except NotDeployed:
                raise
            except Exception as error:
                if not failures:
                    self.worker.log.error("poll.failed", error=repr(error))
                failures += 1
                await self._rest(failures, stopping)
                continue
            if failures:
                self.worker.log.info("poll.recovered", after=failures)
            failures = 0
            self._seen_s = self.worker.runner.monotonic()
            if stopping.is_set():
                await self._in_flight.put_back(deliveries)
            elif deliveries:
                self._start(deliveries)

    async def _let_poll(self, stopping: asyncio.Event) -> bool:
        """Wait while the agent is paused; tell whether it may go on, and need not stop."""
        if not self._may_poll.is_set():
            waits = {asyncio.create_task(e.wait()) for e in (self._may_poll, stopping)}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            self._seen_s = self.worker.runner.monotonic()
        return not stopping.is_set()

    async def _drain(self, grace_s: float) -> None:
        if not self._batches:
            return
        _, late = await asyncio.wait(self._batches, timeout=grace_s)
        if late:
            self.worker.log.warning("drain.late", tasks=self.busy)
            self._giving_up.set()
            await asyncio.wait(late, timeout=_LONGEST_PAUSE_S)

    async def _receive(self, limit: int) -> list[Delivery]:
        return await self.worker.bus.receive(self.worker.queue, limit=limit, wait_s=WAIT_S)

    def _start(self, deliveries: list[Delivery]) -> None:
        self._in_flight.hold(deliveries)
        batch = asyncio.create_task(self._work(deliveries))
        self._batches.add(batch)
        batch.add_done_callback(self._batches.discard)

    async def _work(self, deliveries: list[Delivery]) -> None:
        by_id = {delivery.message_id: delivery for delivery in deliveries}

        def tell(message_id: str, disposition: Disposition) -> None:
            self._in_flight.release(by_id[message_id], delete=disposition is Disposition.DELETE)

        await self.runtime.handle(deliveries, tell=tell)

    async def _rest(self, failures: int, stopping: asyncio.Event) -> None:
        """Wait ever longer, with full jitter, the more has failed; not once `stopping` is set."""
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
        shortest = _FIRST_PAUSE_S / 2
        wait_s = shortest + (longest - shortest) * self.worker.runner.jitter()
        try:
            async with asyncio.timeout(wait_s):
                await stopping.wait()
        except TimeoutError:
            return
