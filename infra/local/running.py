"""Which emulators run on this machine."""

import contextlib

from sqswarm.infra.local.emulator import Emulator
from sqswarm.infra.local.health import is_healthy
from sqswarm.infra.local.home import current_path, known_ports, run_dir, write_atomically
from sqswarm.infra.local.processes import is_alive


def recorded(port: int) -> Emulator | None:
    """Return the record of the emulator on a port, whether it still runs or not."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        return Emulator.load((run_dir(port) / "emulator.json").read_text())
    return None


def runs(emulator: Emulator) -> bool:
    """Whether it runs: its process lives, or for docker, its port answers."""
    return is_healthy(emulator) if emulator.kind == "docker" else is_alive(emulator)


def status(port: int | None = None) -> list[Emulator]:
    """Return the emulators that run, by port; only the one on `port` where that is given."""
    ports = known_ports() if port is None else [port]
    records = [record for number in ports if (record := recorded(number))]
    return [emulator for emulator in records if runs(emulator)]


def current() -> Emulator | None:
    """Return the emulator that was brought up last, if it still runs."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        emulator = Emulator.load(current_path().read_text())
        if runs(emulator):
            return emulator
    return None


def make_current(emulator: Emulator) -> None:
    """Remember the emulator that was brought up last."""
    write_atomically(current_path(), emulator.dump())


def settle_current() -> None:
    """After a stop: point current.json to another emulator that runs, or remove it."""
    if current() is not None:
        return
    others = status()
    if others:
        make_current(max(others, key=lambda emulator: emulator.started_at))
    else:
        current_path().unlink(missing_ok=True)
