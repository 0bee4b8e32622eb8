"""Ruin: what befalls the whole swarm in the middle of a soak, one disaster after another."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.faults import Fault, Proxy
from benchmarks.faults.rules import EVERYTHING
from benchmarks.soak.agents import value
from benchmarks.soak.containers import Containers
from benchmarks.soak.dispatchers import Dispatchers
from benchmarks.soak.processes import Processes
from benchmarks.soak.swarm import PlanBehind
from sqswarm import Request, Swarm, Task
from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.schemas.errors import SwarmError, TaskFailed
from sqswarm.schemas.journal import SLEEP_LIMIT_S, WIDTH_LIMIT
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.settings import Settings

_DISK_MB = 256
_LARGE = 300_000
"""Characters of an argument that is kept in S3."""
_ENDED_BEFORE = 0.6
"""Share of the tasks released so far that have ended when the next disaster begins."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How long and how much. A soak in the tests has less of both."""

    outage_s: float
    throttle_s: float
    full_s: float
    flood: int
    large: int


LONG = Scale(outage_s=20, throttle_s=60, full_s=15, flood=1000, large=1000)
SHORT = Scale(outage_s=8, throttle_s=20, full_s=5, flood=150, large=250)


class Broken(Exception):
    """A disaster did not end as promised."""


@dataclass(kw_only=True)
class Ruin:
    """The disasters of one soak; call `step` now and then with how many tasks have ended.

    `told` says what each did, `problems` what did not end as promised. `disk` is the file system
    that holds all of the emulator's files, if it has one to itself. `swarm` goes round the proxy:
    what it asks of the disasters' own tasks meets no fault.
    """

    disasters: tuple[str, ...]
    scale: Scale
    proxy: Proxy
    swarm: Swarm
    planned: PlanBehind
    dispatchers: Dispatchers
    containers: Containers
    processes: Processes
    folder: Path
    disk: Path | None
    patience_s: float
    told: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _begun: int = 0
    _now: Future[None] | None = None

    def __post_init__(self) -> None:
        """Make a thread for them: they take a while."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ruin")

    @property
    def settings(self) -> Settings:
        """Return how the swarm is reached round the proxy."""
        return replace(settings_from_environment(), stage=self.planned.stage)

    @property
    def over(self) -> bool:
        """True where nothing is still to come."""
        return self._begun == len(self.disasters) and (self._now is None or self._now.done())

    def step(self, ended: int) -> None:
        """Begin the next disaster where the one before is over; each has a crowd of its own in it.

        It begins when some of the tasks before it have ended, and others are still under way.
        """
        if self._begun == len(self.disasters) or not (self._now is None or self._now.done()):
            return
        if ended >= _ENDED_BEFORE * self.dispatchers.tasks_released:
            self._now = self._pool.submit(self._strike, self.disasters[self._begun])
            self._begun += 1
            self.dispatchers.released = 1 + self._begun

    def _strike(self, name: str) -> None:
        begun = time.monotonic()
        try:
            told = _STRIKES[name](self)
        except Exception as error:  # the soak goes on, and its verdict names this
            self.problems.append(f"{name}: {error!r}")
        else:
            self.told.append(f"{name}: {told}, over after {time.monotonic() - begun:.1f} s")

    @contextlib.contextmanager
    def down(self, services: Mapping[str, Fault]) -> Iterator[None]:
        """Have each request of these services meet the fault."""
        before = self.proxy.rates
        self.proxy.rates = replace(before, down=services)
        try:
            yield
        finally:
            self.proxy.rates = before

    def finished(self, tasks: list[Task], expected: list[int]) -> None:
        """Raise Broken unless these tasks give what is expected."""
        given = [task.result(timeout=self.patience_s) for task in tasks]
        if given != expected:
            raise Broken(f"the tasks gave {given}, not {expected}")


def _large(ruin: Ruin) -> str:
    """Many children, many steps, a long journal, a year of sleep; and each of them too much."""
    many = ruin.scale.large
    possible = [
        ruin.swarm.submit("fan", n=1, width=many),
        ruin.swarm.submit("large", n=1, steps=many, size=1),
        ruin.swarm.submit("large", n=1, steps=40, size=10 * 1024),
    ]
    year = ruin.swarm.submit("sleeper", n=1, seconds=SLEEP_LIMIT_S)
    too_much = {
        "InvalidSleep": ruin.swarm.submit("sleeper", n=1, seconds=SLEEP_LIMIT_S + 1),
        "TooWide": ruin.swarm.submit("fan", n=1, width=WIDTH_LIMIT + 1),
    }
    try:
        ruin.finished(possible, [value(1)] * 3)
        for kind, task in too_much.items():
            with contextlib.suppress(TaskFailed):
                raise Broken(f"{kind}: {task.result(timeout=ruin.patience_s)} was possible")
            if kind not in (refusal := str(task.error())):
                raise Broken(f"{refusal}, not {kind}")
        asleep = ruin.swarm.get(year.id).record
    finally:
        cancelled = year.cancel()
    if asleep.phase is not Phase.SLEEPING or cancelled is not Status.CANCELLED:
        raise Broken(f"a year's sleeper was {asleep.status} in {asleep.phase}, then {cancelled}")
    return f"{many} children, {many} steps, 400 KB of journal, a year of sleep; more was refused"


def _outage(ruin: Ruin) -> str:
    """Nobody reaches AWS, and every worker is killed meanwhile. What AWS holds, it keeps."""
    before = sum(ruin.proxy.injected.values())
    with ruin.down({EVERYTHING: Fault.TIMED_OUT}):
        time.sleep(ruin.scale.outage_s / 2)
        killed = ruin.processes.kill_all() + ruin.containers.kill_all()
        time.sleep(ruin.scale.outage_s / 2)
    met = sum(ruin.proxy.injected.values()) - before
    return f"no call got through for {ruin.scale.outage_s:.0f} s ({met} tried), {killed} killed"


def _throttle(ruin: Ruin) -> str:
    """The table refuses every request."""
    before = ruin.proxy.injected[Fault.THROTTLE]
    with ruin.down({"dynamodb": Fault.THROTTLE}):
        time.sleep(ruin.scale.throttle_s / 2)  # what was under way when it began is over
        ended = len(ruin.proxy.witness.endings)
        time.sleep(ruin.scale.throttle_s / 2)
        met = ruin.proxy.injected[Fault.THROTTLE] - before
        ended = len(ruin.proxy.witness.endings) - ended
    if ended:
        raise Broken(f"{ended} tasks ended on a table that refuses everything")
    return f"the table refused everything for {ruin.scale.throttle_s:.0f} s ({met} calls)"


def _deploy(ruin: Ruin) -> str:
    """Deploy what is deployed, then changed code, while tasks run."""
    same = deploy(ruin.settings, ruin.planned)
    if same.changed or same.mended:
        raise Broken(f"the same code changed something: {same.mended}")
    changed = deploy(ruin.settings, ruin.planned.edition(1, ruin.folder / "edition"))
    if not changed.changed:
        raise Broken("changed code changed nothing")
    after = ruin.swarm.submit("plain", n=1)  # the others may all have ended before it was live
    ruin.finished([after], [value(1)])
    return f"the same code in {same.seconds:.1f} s, changed code in {changed.seconds:.1f} s"


def _flood(ruin: Ruin) -> str:
    """One principal submits a crowd; another's tasks, of the same agent and of one beside it.

    Emulators have no fair queues: there the same agent's next task waits for the crowd.
    """

    def latencies_s() -> dict[str, float]:
        begun = time.monotonic()
        tasks = [ruin.swarm.submit(agent, n=1) for agent in ("lean", "plain")]
        ended = {
            task.agent: time.monotonic() - begun
            for task in ruin.swarm.wait(tasks, timeout=ruin.patience_s)
        }
        ruin.finished(tasks, [value(1)] * len(tasks))
        return ended

    crowd = [Request(arguments={"n": n}) for n in range(ruin.scale.flood)]
    calm_s = latencies_s()
    with Swarm.connect(replace(ruin.settings, principal="flood")) as flooding:
        begun = time.monotonic()
        tasks = flooding.submit_many("lean", crowd)
        submitted_s = time.monotonic() - begun
        flooded_s = latencies_s()
        ruin.finished(tasks, [value(n) for n in range(ruin.scale.flood)])
        seconds = time.monotonic() - begun
    told = ", ".join(
        f"another's {agent} task {calm_s[agent]:.2f} s before and {flooded_s[agent]:.2f} s in it"
        for agent in flooded_s
    )
    return (
        f"one principal's {ruin.scale.flood} lean tasks, submitted in {submitted_s:.1f} s, ended "
        f"after {seconds:.1f} s; {told}"
    )


def _full_disk(ruin: Ruin) -> str:
    """The emulator's disk has no room: what needs some is refused, the rest goes on."""
    if ruin.disk is None:
        return "left out: only root can give the emulator a disk of its own"
    filler = ruin.disk / "filler"
    large = "x" * _LARGE
    changed = ruin.planned.edition(2, ruin.folder / "edition")
    ended = len(ruin.proxy.witness.endings)
    try:
        _fill(filler)
        refusals = [
            _refused(lambda: ruin.swarm.submit("padded", n=2, padding=large)),
            _refused(lambda: deploy(ruin.settings, changed)),
        ]
        time.sleep(ruin.scale.full_s)
        ruin.finished([ruin.swarm.submit("lean", n=3)], [value(3)])
        ended = len(ruin.proxy.witness.endings) - ended
    finally:
        filler.unlink(missing_ok=True)
    ruin.finished([ruin.swarm.submit("padded", n=2, padding=large)], [value(2)])
    deploy(ruin.settings, changed)
    told = ", ".join(refusals)
    return f"large arguments and a deployment were refused ({told}), {ended} tasks ended meanwhile"


def _refused(call: Callable[[], object]) -> str:
    """Return what a call is refused with, in short; raises Broken where it is not."""
    try:
        done = call()
    except SwarmError as error:
        return f"{type(error).__name__}: {error}"[:120]
    raise Broken(f"a disk without room was enough for {done}")


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler, contextlib.suppress(OSError):
        while filler.write(bytes(1 << 20)):
            pass


_STRIKES: Mapping[str, Callable[[Ruin], str]] = {
    "large": _large,
    "outage": _outage,
    "throttle": _throttle,
    "deploy": _deploy,
    "flood": _flood,
    "full-disk": _full_disk,
}


@contextlib.contextmanager
def small_disk(*, wanted: bool) -> Iterator[Path | None]:
    """Give what is made in the temporary folder a small file system to itself, where root can."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sqswarm-disk-") as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            yield None
            return
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
            subprocess.run(["umount", "--lazy", folder], check=True)
