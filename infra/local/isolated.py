"""Emulators apart from the user's: for tests and benchmarks."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqswarm.infra.local.credentials import environment_variables
from sqswarm.infra.local.emulator import Emulator, EmulatorKind
from sqswarm.infra.local.home import home, venvs_dir
from sqswarm.infra.local.reset import reset
from sqswarm.infra.local.start import up
from sqswarm.infra.local.stop import down

_STRANGE = ("SQSWARM_STAGE", "SQSWARM_PRINCIPAL")

_NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a user's files and a machine's own role would say, they do not."""


@dataclass(frozen=True, kw_only=True)
class EmulatorApart:
    """An emulator in a home of its own."""

    emulator: Emulator
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables with which a process reaches this emulator and no other AWS."""
        return {
            **_NOWHERE,
            **environment_variables(self.emulator),
            "SQSWARM_HOME": str(self.folder),
            "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost"])),
        }

    def reset(self) -> None:
        """Make it forget every resource; raises EmulatorError as `local.reset` does."""
        with _environment({"SQSWARM_HOME": str(self.folder)}):
            reset(self.emulator.port)


def foreign_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that would lead an AWS SDK, or this swarm, elsewhere."""
    return [name for name in environ if name.startswith("AWS_") or name in _STRANGE]


@contextlib.contextmanager
def emulator_apart(kind: EmulatorKind = "localstack") -> Iterator[EmulatorApart]:
    """Run an emulator on a free port, in a home that shares only the installed environments.

    This process's environment is as before, also meanwhile. Raises EmulatorError as `up` does.
    """
    shared = venvs_dir()
    shared.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sqswarm-") as folder:
        apart = {"SQSWARM_HOME": folder}
        try:
            with _environment(apart):
                (home() / "venvs").symlink_to(shared, target_is_directory=True)
                running = up(emulator=kind, port=free_port())
            yield EmulatorApart(emulator=running, folder=Path(folder))
        finally:
            with _environment(apart):
                down(all=True)


@contextlib.contextmanager
def isolated_emulator(kind: EmulatorKind = "localstack") -> Iterator[Emulator]:
    """Run an emulator apart, and let this process's environment name it and nothing else.

    That is AWS_ENDPOINT_URL, credentials, region and SQSWARM_HOME; afterwards all of it is as
    before. Raises EmulatorError as `up` does.
    """
    with (
        emulator_apart(kind) as apart,
        _environment(apart.variables, without=foreign_variables(os.environ)),
    ):
        yield apart.emulator


@contextlib.contextmanager
def _environment(variables: Mapping[str, str], *, without: Iterable[str] = ()) -> Iterator[None]:
    before = dict(os.environ)
    try:
        for name in without:
            os.environ.pop(name, None)
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
