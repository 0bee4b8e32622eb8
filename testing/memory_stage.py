"""MemoryStage: a stage in memory that is moved by hand, step by step.

`MemorySwarm` is what users test with; this is the part of it that decides nothing by itself.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqswarm.backends.log import Log
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.backends.memory.bus import MemoryBus
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.bus import Delivery, Outgoing
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper
from sqswarm.dispatcher.lifecycle.resume import resume_all
from sqswarm.dispatcher.lifecycle.sweep import Housekeeper
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.view import TaskView, view
from sqswarm.infra.calls import spec_with_calls
from sqswarm.infra.publishing import check_fit
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.naming import UNROUTED, Names
from sqswarm.schemas.notice import targets_of
from sqswarm.schemas.task import TaskRecord
from sqswarm.testing.clock import VirtualClock
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.runtime.batch import BatchResult, Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext

NAMES = Names(stage="test", account="000000000000", region="us-east-1")

_TTL_S = 14 * 86_400
_ROUNDS = 1000


class MemoryStage:
    """A stage of the given agents over the memory twins of DynamoDB, SNS, SQS and S3.

    Nothing moves by itself: `work`, `settle_down` and `housekeep` move it, `clock` is its time.
    `store` and `bus` may be twins of the test's own, which count or fail.
    """

    def __init__(
        self,
        *agents: AnyAgent,
        clock: VirtualClock | None = None,
        store: MemoryStore | None = None,
        bus: MemoryBus | None = None,
        log: Log | None = None,
        notify: Sequence[str] = (),
    ) -> None:
        """Deploy `agents` to memory; `notify` are whom submissions may name, to be told."""
        self.notify = targets_of(notify, most=None)
        self.clock = clock or VirtualClock()
        self.store = store or MemoryStore()
        self.blobs = MemoryBlobs()
        self.bus = bus or MemoryBus(self.clock.now_ms)
        self.log = io.StringIO()
        """What the parts have logged; nothing where they log to a `log` of the caller's."""
        self._log = log or Log.to(self.log)
        self.runtimes: dict[str, Runtime] = {}
        self.deploy(*agents)

    def deploy(self, *agents: AnyAgent) -> None:
        """Make `agents` what the stage runs from now on; its tasks and messages stay."""
        self.agents = agents
        check_fit([one.spec for one in agents])
        made = replace(Catalogue.of(spec_with_calls(one) for one in agents), notify=self.notify)
        before = getattr(self, "catalogue", None)
        made = made if before is None else made.after(before)
        self.catalogue = made.deployed(before, now_ms=self.clock.now_ms())
        self.blobs.objects[self.blobs.address(CATALOGUE_KEY)] = self.catalogue.dump().encode()
        self.bus.make_queue(NAMES.dead_letter_queue(UNROUTED))
        for one in agents:
            if one.name not in self.runtimes:
                self._build(one)
            self.runtimes[one.name] = self.runtime(one)
        self.connection = self.connection_for("me")
        keeper = self.connection_for("keeper", operator=True)
        self.housekeeper = Housekeeper(keeper, self._log)
        self.dead_letter_sweeper = DeadLetterSweeper(keeper, self._log, self.housekeeper)

    async def resume_parked(self) -> int:
        """Let parked tasks meet the code of now, as the end of a deployment does."""
        walk = resume_all(self.connection_for("deployer", operator=True), self.catalogue.names)
        return sum([number async for number in walk])

    def _build(self, one: AnyAgent) -> None:
        spec = one.spec
        dead = NAMES.dead_letter_queue(spec.name, ordered=spec.ordered)
        queue = self.queue(one)
        self.bus.make_queue(dead)
        self.bus.make_queue(
            queue,
            visibility_s=spec.visibility_s,
            dead_letters_to=dead,
            max_receives=spec.max_receive_count,
        )
        topic = NAMES.topic("tasks", ordered=spec.ordered)
        self.bus.subscribe(topic, queue, {"agent": [spec.name]})
        for subscription in spec.subscriptions:
            wanted = {"type": subscription.types} if subscription.types else None
            name = NAMES.topic(subscription.topic, ordered=spec.ordered)
            self.bus.subscribe(name, queue, wanted)

    def runtime(self, one: AnyAgent) -> Runtime:
        """Return what runs this agent's deliveries."""
        return Runtime(self.worker(one))

    def worker(self, one: AnyAgent) -> WorkerContext:
        """Return the context of another worker of this agent."""
        return WorkerContext(
            agent=one,
            spec=one.spec,
            connection=replace(self.connection_for(one.name, operator=True), worker=True),
            log=self._log,
        )

    def connection_for(self, principal: str, *, operator: bool = False) -> Connection:
        """Return a connection of `principal`; an `operator` sees everybody's tasks."""
        return Connection(
            names=NAMES,
            store=self.store,
            bus=self.bus,
            blobs=self.blobs,
            runner=self.clock,
            catalogue=self.catalogue,
            principal=principal,
            operator=operator,
            ttl_s=_TTL_S,
        )

    def queue(self, one: AnyAgent) -> str:
        """Return the name of an agent's queue."""
        return NAMES.queue(one.name, ordered=one.spec.ordered)

    def waiting(self, one: AnyAgent) -> list[str]:
        """Return the bodies of the messages in an agent's queue, hidden ones too."""
        return self.bus.bodies(self.queue(one))

    async def submit(
        self, one: AnyAgent, _request: Mapping[str, Any] | None = None, **arguments: Any
    ) -> str:
        """Submit one task and return its id; `_request` holds fields of `Request`."""
        request = Request(arguments=arguments, **(_request or {}))
        return (await submit(self.connection, one.name, [request]))[0].task_id

    async def copy(self, one: AnyAgent, body: str) -> None:
        """Deliver a message once more."""
        message = Outgoing(id="copy", body=body, principal="me", agent=one.name)
        await self.bus.send(self.queue(one), [message])

    async def work(self, one: AnyAgent, *, limit: int = 10) -> BatchResult:
        """Deliver one batch and delete what the runtime says."""
        deliveries = await self.bus.receive(self.queue(one), limit=limit, wait_s=0)
        result = await self.runtimes[one.name].handle(deliveries)
        await self.bus.delete(self.queue(one), result.delete)
        return result

    async def settle_down(self) -> None:
        """Deliver what is visible until nothing is; raises AssertionError if that never ends."""
        for _ in range(_ROUNDS):
            results = [await self.work(one) for one in self.agents]
            if not any(result.keep or result.delete for result in results):
                return
        message = "the swarm does not come to rest"
        raise AssertionError(message)

    async def housekeep(self, *, minutes: int = 1) -> None:
        """Let minutes pass; housekeeping and work in each."""
        for _ in range(minutes):
            self.clock.advance(seconds=60)
            await self.housekeeper.sweep()
            await self.dead_letter_sweeper.sweep()
            await self.settle_down()

    async def letters(self, one: AnyAgent) -> list[Delivery]:
        """Receive an agent's dead letters."""
        queue = NAMES.dead_letter_queue(one.name, ordered=one.spec.ordered)
        return await self.bus.receive(queue, limit=10, wait_s=0)

    async def see(self, task_id: str) -> TaskView:
        """Return a task as its caller sees it."""
        return await view(self.connection, task_id)

    async def record(self, task_id: str) -> TaskRecord:
        """Return a task's record."""
        return (await self.see(task_id)).record
