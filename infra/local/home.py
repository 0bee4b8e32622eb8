"""Where emulators keep their state: $SQSWARM_HOME, by default ~/.sqswarm."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sqswarm.backends.aws.connect import local_home
from sqswarm.infra.local.errors import EmulatorError


def home() -> Path:
    """Return the directory of all local state."""
    return local_home(os.environ)


def make_private() -> None:
    """Make the directory, and keep everybody else out of it: it holds the emulators' key ids.

    Raises EmulatorError where it is somebody else's.
    """
    folder = home()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        folder.chmod(0o700)
    except OSError as error:
        message = f"{folder} cannot be made private: {error.strerror}"
        hint = "Set SQSWARM_HOME to a directory of your own."
        raise EmulatorError(message, hint=hint) from error


def run_dir(port: int) -> Path:
    """Return the directory of the emulator on a port."""
    return home() / "run" / str(port)


def venvs_dir() -> Path:
    """Return the directory of the emulators' environments."""
    return home() / "venvs"


def current_path() -> Path:
    """Return the file that names the emulator that was brought up last."""
    return home() / "current.json"


def known_ports() -> list[int]:
    """Return every port that has, or had, an emulator."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(int(path.name) for path in (home() / "run").iterdir() if path.name.isdigit())
    return []


def write_atomically(path: Path, text: str) -> None:
    """Write a file that no reader ever sees half-written, and no other user at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


@contextlib.contextmanager
def locked(path: Path, *, timeout_s: float = 300.0) -> Iterator[None]:
    """Hold a lock between processes; the kernel frees it when its holder dies.

    Raises EmulatorError when another process holds it for longer than `timeout_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"another process has held {path} for {timeout_s:.0f} s"
                    hint = "Wait for the other `sqswarm up` or `down` to end, or stop it."
                    raise EmulatorError(message, hint=hint) from None
                time.sleep(0.05)
        yield
