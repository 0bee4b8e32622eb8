"""Take emulators down."""

import shutil

from sqswarm.infra.local import docker
from sqswarm.infra.local.emulator import Emulator
from sqswarm.infra.local.home import known_ports, locked, run_dir
from sqswarm.infra.local.processes import end, members
from sqswarm.infra.local.running import current, recorded, runs, settle_current, status


def down(*, port: int | None = None, all: bool = False) -> list[Emulator]:  # noqa: A002
    """Stop the emulator on a port, or `all`; without either, the one brought up last.

    Everything that it started ends with it, also where the emulator itself had crashed before.
    Its log stays. Returns the emulators that were running.

    Raises EmulatorError when another process is bringing it up or down and does not finish.
    """
    stopped = [emulator for number in _ports(port, everything=all) if (emulator := _stop(number))]
    settle_current()
    return stopped


def _ports(port: int | None, *, everything: bool) -> list[int]:
    if everything:
        return known_ports()
    if port is not None:
        return [port]
    latest = current()
    if latest is not None:
        return [latest.port]
    # The last one crashed: nothing runs as far as records go, yet its functions may.
    running = [emulator.port for emulator in status()]
    return running or [number for number in known_ports() if members(run_dir(number))]


def _stop(port: int) -> Emulator | None:
    folder = run_dir(port)
    if not folder.exists():
        return None
    with locked(folder / "lock", timeout_s=120):
        known = recorded(port)
        was_running = known is not None and runs(known)
        if known is not None and known.kind == "docker":
            docker.stop(port=port)
        end(known, folder)
        (folder / "emulator.json").unlink(missing_ok=True)
        for leftover in ("data", "tmp"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
    return known if was_running else None
