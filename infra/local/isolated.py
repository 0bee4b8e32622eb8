"""Emulators apart from the user's: for tests and benchmarks."""

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator

from sqswarm.infra.local.credentials import environment_variables
from sqswarm.infra.local.emulator import Emulator, EmulatorKind
from sqswarm.infra.local.home import home, venvs_dir
from sqswarm.infra.local.start import up
from sqswarm.infra.local.stop import down

_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "SQSWARM_STAGE", "SQSWARM_PRINCIPAL")


@contextlib.contextmanager
def isolated_emulator(kind: EmulatorKind = "localstack") -> Iterator[Emulator]:
    """Run an emulator on a free port, in a home that shares only the installed environments.

    Meanwhile this process's environment names it and nothing else: AWS_ENDPOINT_URL,
    credentials, region and SQSWARM_HOME; afterwards all of it is as before. Raises
    EmulatorError as `up` does.
    """
    shared = venvs_dir()
    shared.mkdir(parents=True, exist_ok=True)
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="sqswarm-") as folder:
        try:
            os.environ["SQSWARM_HOME"] = folder
            (home() / "venvs").symlink_to(shared, target_is_directory=True)
            running = up(emulator=kind, port=free_port())
            for name in _VARIABLES:
                os.environ.pop(name, None)
            os.environ.update(environment_variables(running))
            yield running
        finally:
            down(all=True)
            os.environ.clear()
            os.environ.update(before)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
