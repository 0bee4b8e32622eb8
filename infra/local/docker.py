"""LocalStack in a container, for those who have Docker."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sqswarm.infra.local.emulator import Emulator
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.infra.local.home import write_atomically
from sqswarm.infra.local.sources import localstack_folder

_HINT = "Start Docker, or use the default `--emulator localstack`, which needs none."


def start(*, port: int, run_dir: Path, tell: Callable[[str], None]) -> Emulator:
    """Start the container and wait until it is healthy.

    Raises EmulatorError without a Docker engine, or when compose fails.
    """
    _check_engine()
    tell("docker compose up; the first time this downloads the image")
    if not os.environ.get("SQSWARM_DOCKER_SOCKET"):
        tell(
            "no function runs there without SQSWARM_DOCKER_SOCKET=/var/run/docker.sock, which "
            "makes whatever runs in it root on this machine: run agents with `sqswarm work`"
        )
    log_path = run_dir / "emulator.log"
    done = _compose(port, "up", "--detach", "--wait")
    log_path.write_text(done.stdout)
    if done.returncode:
        message = f"docker compose failed:\n{done.stdout[-2000:]}"
        raise EmulatorError(message, hint="Read `docker compose logs`, or " + _HINT.lower())
    emulator = Emulator(
        kind="docker",
        port=port,
        endpoint_url=f"http://127.0.0.1:{port}",
        pid=0,
        log_path=log_path,
        started_at=time.time(),
        access_key_id=None,
    )
    write_atomically(run_dir / "emulator.json", emulator.dump())
    return emulator


def stop(*, port: int) -> None:
    """Remove the container and its volumes. Raises EmulatorError when compose fails."""
    done = _compose(port, "down", "--volumes", "--timeout", "5")
    if done.returncode:
        message = f"docker compose failed:\n{done.stdout[-2000:]}"
        raise EmulatorError(message, hint=_HINT)


def _check_engine() -> None:
    if shutil.which("docker") is None:
        message = "docker is not installed"
        raise EmulatorError(message, hint=_HINT)
    probe = subprocess.run(
        ["docker", "info", "--format", "{{.ServerVersion}}"],  # noqa: S607 - the user's own docker
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        message = f"docker has no engine to talk to: {probe.stderr.strip()[-300:]}"
        raise EmulatorError(message, hint=_HINT)


def _compose(port: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    file = localstack_folder() / "compose.yaml"
    project = ["docker", "compose", "--project-name", f"sqswarm-{port}", "--file", str(file)]
    return subprocess.run(  # noqa: S603 - the user's own docker
        [*project, *arguments],
        env={**os.environ, "SQSWARM_PORT": str(port)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
