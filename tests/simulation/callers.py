"""The people and programs around a swarm: who submits, cancels, redrives and answers."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from simulation.actors import connection_for, start
from simulation.fault_plan import Order
from simulation.process import Process
from simulation.world import NAMED, NAMES, World
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.recorded_outcomes import FROM_END
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.view import find
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.naming import TASKS_TOPIC

_TRIES = 8
_AGAIN_S = 7.0
_A_MOMENT_S = 40.0
_LATER_S = 600.0
ANSWER = "answer"
_SKEW_MS = 2000


@dataclass(frozen=True, kw_only=True)
class Handle:
    """What a caller got for an order."""

    order: Order
    task_id: str


class Callers:
    """Everybody outside; they try again where a person or a program would."""

    def __init__(self, world: World) -> None:
        """Prepare to place the storm's orders."""
        self._world = world
        self.handles: list[Handle] = []
        self.redriven: list[tuple[str, str]] = []
        self.went_on: dict[str, str] = {}
        """Tasks that went on from where others had ended, and those."""
        self.ended: list[tuple[str, Status]] = []
        """What cancel said a task had ended as."""
        self._numbers = 0

    def begin(self) -> None:
        """Place every order at its time, and the poison at once."""
        loop = self._world.loop
        for order in self._world.fault_plan.orders:
            loop.call_at(float(order.at_s), self._order, order, _TRIES)
        for body in self._world.fault_plan.poison:
            message = Outgoing(
                id="poison", body=body, principal="me", agent=self._world.fault_plan.orders[0].agent
            )
            loop.call_at(0.02, self._publish, message)

    def _publish(self, message: Outgoing) -> None:
        run_straight(self._world.bus.publish(NAMES.topic(TASKS_TOPIC), [message]))

    def _process(self, name: str) -> Process:
        self._numbers += 1
        skew_ms = self._world.chance.randint(-_SKEW_MS, _SKEW_MS)
        return Process(self._world, f"{name}-{self._numbers}", skew_ms=skew_ms)

    # WorkerOptions

    def _order(self, order: Order, tries: int) -> None:
        process = self._process("client")
        start(process, self._submit(process, order))
        if order.key is not None and tries > 1:
            self._world.loop.call_later(_AGAIN_S, self._again, order, tries - 1)

    def _again(self, order: Order, tries: int) -> None:
        """Repeat what has an idempotency key until it has a handle."""
        if all(handle.order is not order for handle in self.handles):
            self._order(order, tries)

    async def _submit(self, process: Process, order: Order) -> None:
        request = Request(
            arguments={"script": list(order.script)},
            idempotency_key=order.key,
            durable=order.durable,
            delay_s=order.delay_s,
            notify=NAMED if order.notify else None,
            singleton=order.singleton,
            deadline=order.deadline_s and order.deadline_s + order.delay_s,
        )
        [made] = await submit(connection_for(process, "me"), order.agent, [request])
        process.check()
        self._world.note(process, "submitted", made.task_id, f"{order.agent}: {order.script}")
        self._world.history(made.task_id).handle = True
        self.handles.append(Handle(order=order, task_id=made.task_id))
        loop = self._world.loop
        if order.cancel_after_s is not None:
            loop.call_later(float(order.cancel_after_s), self._cancel, made.task_id, order.agent)
        if order.redrive:
            loop.call_later(_LATER_S, self._redrive, made.task_id)
            # Somebody else has seen the same failure.
            late_s = _LATER_S + 0.3 * self._world.chance.random()
            loop.call_later(late_s, self._redrive, made.task_id)

    # Cancel and redrive

    def _cancel(self, task_id: str, agent: str) -> None:
        process = self._process("canceller")

        async def work() -> None:
            status = await cancel(connection_for(process, "me"), task_id, agent=agent)
            process.check()
            self.ended.append((task_id, status))
            self._world.note(process, "cancel said", task_id, status.value)

        start(process, work())

    def _redrive(self, task_id: str) -> None:
        process = self._process("redriver")

        # Chance of its own: other storms stay as they were.
        chance = random.Random(f"redrive {self._world.fault_plan.seed} {task_id} {self._numbers}")
        place = chance.choice([None, FROM_END, FROM_END, "work0", "work1"])

        async def work() -> None:
            made = await redrive(connection_for(process, "me"), task_id, from_step=place)
            process.check()
            self._world.note(process, "redriven", made.task_id, f"from {place} of {task_id}")
            self._world.history(made.task_id).handle = True
            self.redriven.append((task_id, made.task_id))
            if place == FROM_END:
                self.went_on[made.task_id] = task_id

        start(process, work())

    # Answers

    def asked(self, task_id: str) -> None:
        """Let a person see the question, after a while."""
        wait_s = _A_MOMENT_S * self._world.chance.random()
        self._world.loop.call_later(wait_s, self._answer, task_id)

    def _answer(self, task_id: str) -> None:
        item = self._world.history(task_id).item
        if item is None or item["status"] != Status.INPUT_REQUIRED:
            return
        process = self._process("person")
        start(process, self._give(process, task_id))
        # Who got no thanks looks again.
        self._world.loop.call_later(_A_MOMENT_S, self._answer, task_id)

    async def _give(self, process: Process, task_id: str) -> None:
        connection = connection_for(process, "me", operator=True)
        record = await find(connection, task_id)
        if record is None:
            return
        keys = [key for key in record.asks if not key.startswith("never")]
        if self._world.chance.random() < 0.5:
            await asyncio.gather(*[self._tell(connection, task_id, key) for key in keys])
            return
        for key in keys:
            await self._tell(connection, task_id, key)

    async def _tell(self, connection: Connection, task_id: str, key: str) -> None:
        try:
            await answer(connection, task_id, key, ANSWER)
        except SwarmError:
            return
