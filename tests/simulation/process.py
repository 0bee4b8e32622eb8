"""A process: what dies together. Its clock may be wrong, and it may stand still for a while."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

from simulation.loop import SimTask
from sqswarm.backends.runner import AsyncRunner

if TYPE_CHECKING:
    from simulation.world import World

EPOCH_MS = 1_800_000_000_000


class Process:
    """One function process, client or housekeeping round."""

    def __init__(self, world: World, name: str, *, skew_ms: int = 0, mortal: bool = True) -> None:
        """Start it with nothing to do; an immortal one (AWS's own pollers) never crashes."""
        self.world = world
        self.name = name
        self.skew_ms = skew_ms
        self.mortal = mortal
        self.dead = False
        self.paused_until_s = 0.0
        self.misfortunes = 0
        self.code = world.code_now()
        """Which code of the agents it runs, to its end."""
        self._told_s: dict[str, float] = {}
        self._tasks: dict[SimTask, None] = {}

    def started(self, task: SimTask) -> None:
        """Note a task of this process."""
        self._tasks[task] = None
        self.world.processes[self] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        del self._tasks[task]  # type: ignore[arg-type]
        if not self._tasks:
            self.world.processes.pop(self, None)

    def kill(self, why: str) -> None:
        """End the process: whatever its code still does reaches nobody."""
        if self.dead:
            return
        self.dead = True
        self.world.note(self, "process.died", "", why)
        self.world.ended(self)
        for task in list(self._tasks):
            task.cancel()

    def pause(self, seconds: float) -> None:
        """Let the process stand still: its leases may run out meanwhile."""
        self.paused_until_s = self.world.loop.now + seconds
        self.world.note(self, "process.paused", "", f"for {seconds:.0f} s")

    def told(self, what: str, task_ids: str, sent_s: float) -> None:
        """Note when the process heard last of how an acquire stands that it sent at `sent_s`.

        One that it stood still for meanwhile may be over, whatever the answer says.
        """
        if what.startswith("acquire") and self.paused_until_s <= sent_s:
            for task_id in task_ids.split():
                self._told_s[task_id] = self.world.loop.now

    def runs(self, task_id: str, *, container: bool) -> None:
        """Note that this process runs a task, which is to be of its code where versions are kept.

        Containers have none, and what was parked is anybody's.
        """
        if not self.world.fault_plan.keeps_versions or container:
            return
        first = self.world.versions.setdefault(task_id, self.code)
        if first != self.code and not self.world.history(task_id).parks:
            what = f"it began with code {first}, and code {self.code} runs it"
            self.world.history(task_id).wrong("a-task-keeps-its-version", what)

    def honest(self, task_id: str) -> bool:
        """Tell whether the process has not stood still since it was told of its lease."""
        return self.paused_until_s <= self._told_s.get(task_id, 0.0)

    @property
    def zombie(self) -> bool:
        """Tell whether the process has ever stood still: then nothing can kill it in time."""
        return self.paused_until_s > 0

    def die(self, why: str) -> NoReturn:
        """End the process from within."""
        self.kill(why)
        raise asyncio.CancelledError

    def check(self) -> None:
        """Raise CancelledError where the process is dead."""
        if self.dead:
            raise asyncio.CancelledError


class ProcessRunner(AsyncRunner):
    """Runs a process's code by the process's own clock, and by the storm's chance."""

    def __init__(self, process: Process) -> None:
        """Use the clock of `process`."""
        self._process = process

    def now_ms(self) -> int:
        """Return what the process takes for the time (Unix epoch, milliseconds)."""
        return self._process.world.now_ms() + self._process.skew_ms

    def monotonic(self) -> float:
        """Return virtual seconds since the storm began."""
        return self._process.world.loop.time()

    def random_bits(self, bits: int) -> int:
        """Return a number of the storm's own."""
        return self._process.world.entropy.getrandbits(bits)

    def jitter(self) -> float:
        """Return a number from 0 up to 1, of the storm's own."""
        return self._process.world.chance.random()


def here() -> Process:
    """Return the process whose code runs now."""
    task = asyncio.current_task()
    if not isinstance(task, SimTask) or task.process is None:
        message = "this code runs in no simulated process"
        raise RuntimeError(message)
    return task.process
