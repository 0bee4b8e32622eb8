"""Find and end the processes of an emulator, also those that a crash left behind."""

import contextlib
import subprocess
from pathlib import Path

import psutil

from sqswarm.infra.local.emulator import Emulator

# Every process of an emulator inherits this variable; its value is the emulator's run directory.
RUN_MARKER = "SQSWARM_EMULATOR_RUN"
# The create time is computed from the boot time, which moves a little when the clock is set.
_CLOCK_TOLERANCE_S = 2.0

_started: "list[subprocess.Popen[bytes]]" = []


def outlives(process: "subprocess.Popen[bytes]") -> None:
    """Keep an emulator's object: one that is dropped while its process runs warns of that."""
    _started.append(process)


def is_alive(emulator: Emulator) -> bool:
    """Whether the emulator's own process runs. A recycled pid does not count."""
    try:
        process = psutil.Process(emulator.pid)
        same = abs(process.create_time() - emulator.started_at) <= _CLOCK_TOLERANCE_S
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def members(run_dir: Path) -> list[psutil.Process]:
    """Return every living process that belongs to the emulator of a run directory."""
    found = []
    for process in psutil.process_iter():
        # Other users' processes cannot be read; they are not ours either.
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(RUN_MARKER) == str(run_dir):
                found.append(process)
    return found


def end(emulator: Emulator | None, run_dir: Path, *, grace_s: float = 5.0) -> None:
    """End an emulator and all its processes: SIGTERM, and SIGKILL for what is left.

    `grace_s` is the time to end by itself: LocalStack's own shutdown sometimes hangs.
    """
    if emulator is not None and emulator.pid and is_alive(emulator):
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(emulator.pid)
            process.terminate()
            with contextlib.suppress(psutil.TimeoutExpired):
                process.wait(grace_s)
    # Twice, since a process that was just being started shows only at the second look.
    for _ in range(2):
        remaining = members(run_dir)
        for process in remaining:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(remaining, timeout=grace_s)
    _started[:] = [process for process in _started if process.poll() is None]
