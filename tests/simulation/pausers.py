"""People who pause tasks and let them go on, each until they are told that they have."""

from __future__ import annotations

import random
from contextlib import suppress
from functools import partial

from simulation.actors import connection_for, start
from simulation.process import Process
from simulation.world import World
from sqswarm.dispatcher.lifecycle.pause_task import pause_task
from sqswarm.dispatcher.lifecycle.resume import resume
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.task import TaskRecord

_LATEST_S = 90.0
_LONGEST_S = 600.0
_AGAIN_S = 5.0
_SKEW_MS = 2000


class Pausers:
    """Whoever pauses half of the tasks of a storm that has pauses, most of them for minutes."""

    def __init__(self, world: World) -> None:
        """Nothing is paused yet."""
        self._world = world
        self._numbers = 0
        # Chance of its own: storms without pauses are as they were.
        self._chance = random.Random(f"pauses {world.fault_plan.seed}")

    def recorded(self, task_id: str) -> None:
        """Pause the task some time after it began, or leave it alone."""
        if self._world.fault_plan.pauses and self._chance.random() < 0.5:
            self._later(_LATEST_S * self._chance.random() ** 3, task_id, on=False)

    def _later(self, seconds: float, task_id: str, *, on: bool) -> None:
        self._world.loop.call_later(seconds, partial(self._tell, task_id, on=on))

    def _tell(self, task_id: str, *, on: bool) -> None:
        history = self._world.history(task_id)
        if self._world.over or history.status is None or history.status.terminal:
            return
        self._numbers += 1
        skew_ms = self._chance.randint(-_SKEW_MS, _SKEW_MS)
        process = Process(self._world, f"pauser-{self._numbers}", skew_ms=skew_ms)
        told = []

        async def work() -> None:
            connection = connection_for(process, "me", operator=True)
            with suppress(UsageError):  # it has ended, or a request that seemed lost resumed it
                await (resume if on else pause_task)(connection, task_id)
            process.check()
            told.append(True)
            self._world.note(process, "resumed" if on else "paused", task_id, "")

        start(process, work())

        def then() -> None:
            if not told:  # who was not told tries again
                self._tell(task_id, on=on)
            elif not on:
                self._later(_LONGEST_S * self._chance.random() ** 2, task_id, on=True)
            else:
                self._world.loop.call_later(_LONGEST_S, look)

        def look() -> None:
            """See that no pause of a program that died has landed since."""
            if history.item is not None and TaskRecord.from_item(history.item).paused_now:
                self._tell(task_id, on=True)

        self._world.loop.call_later(_AGAIN_S, then)
