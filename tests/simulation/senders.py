"""Programs that send values into tasks, each until it is thanked, or told that it is too late."""

from __future__ import annotations

from dataclasses import dataclass

from simulation.actors import connection_for, start
from simulation.agents import topic_of
from simulation.process import Process
from simulation.world import World
from sqswarm.dispatcher.lifecycle.send import send
from sqswarm.schemas.errors import TaskEnded
from sqswarm.schemas.json import loads

_LATEST_S = 120.0
_AGAIN_S = 5.0
_SKEW_MS = 2000


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One value on its way into a task."""

    task_id: str
    topic: str
    value: str


class Senders:
    """Everybody who sends what a script receives, some of it before the agent asks for it."""

    def __init__(self, world: World) -> None:
        """Nobody sends anything yet."""
        self._world = world
        self._numbers = 0
        self.accepted: list[Sending] = []
        """What somebody was thanked for."""

    def recorded(self, task_id: str) -> None:
        """Send what the task's script receives, each value by a program of its own."""
        item = self._world.history(task_id).item or {}
        script = loads(item["arguments"]).get("script", []) if "arguments" in item else []
        for number, piece in enumerate(script):
            kind, _, detail = piece.partition(":")
            if kind != "receive":
                continue
            for n in range(1 if detail == "late" else int(detail)):
                one = Sending(task_id=task_id, topic=topic_of(number), value=f"value {n}")
                self._later(_LATEST_S * self._world.chance.random() ** 2, one)

    def _later(self, seconds: float, one: Sending) -> None:
        self._world.loop.call_later(seconds, self._send, one)

    def _send(self, one: Sending) -> None:
        if one in self.accepted or self._world.over:
            return
        self._numbers += 1
        skew_ms = self._world.chance.randint(-_SKEW_MS, _SKEW_MS)
        process = Process(self._world, f"sender-{self._numbers}", skew_ms=skew_ms)

        async def work() -> None:
            connection = connection_for(process, "me")
            key = f"{one.topic} {one.value}"
            try:
                await send(connection, one.task_id, one.topic, one.value, idempotency_key=key)
            except TaskEnded:
                return
            process.check()
            self.accepted.append(one)
            self._world.note(process, "sent", one.task_id, key)

        start(process, work())
        history = self._world.history(one.task_id)
        if history.status is not None and not history.status.terminal:
            self._later(_AGAIN_S, one)  # who was not thanked by then tries again
