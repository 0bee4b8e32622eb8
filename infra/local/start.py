"""Bring an emulator up."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from sqswarm.backends.aws.connect import is_chosen, settings_from_environment
from sqswarm.infra.local import docker
from sqswarm.infra.local.commands import command
from sqswarm.infra.local.credentials import new_key_id
from sqswarm.infra.local.emulator import Emulator, EmulatorKind
from sqswarm.infra.local.environment import environment_python, missing_needs
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.infra.local.health import health_report, is_healthy
from sqswarm.infra.local.home import locked, make_private, run_dir, write_atomically
from sqswarm.infra.local.processes import end, outlives
from sqswarm.infra.local.running import current, make_current, recorded, runs
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.settings import Settings

# One second is usual; a cold disk and two busy cores are allowed for.
_START_TIMEOUT_S = 90.0
_TAIL_LINES = 20
_PORT_RELEASE_S = 3.0


def up(
    *,
    emulator: EmulatorKind = "localstack",
    port: int = 4566,
    progress: Callable[[str], None] | None = None,
) -> Emulator:
    """Start an emulator in the background, or return the one that already answers on the port.

    `progress` is told what is being done, in words. On first use the emulator's environment is
    made, which takes about half a minute. Its log is in `Emulator.log_path`.

    Raises EmulatorError when functions would lack a package here, the port is taken, the platform
    does not fit, the environment cannot be made, docker is missing, or it does not come up.
    """
    if (lack := missing_needs(emulator)) is not None:
        raise lack
    tell = progress or (lambda _: None)
    make_private()
    folder = run_dir(port)
    with locked(folder / "lock"):
        running = _running(emulator, port)
        if running is None:
            _check_port(port)
            tell(f"starting {emulator} on port {port}")
            begun = time.monotonic()
            if emulator == "docker":
                running = docker.start(port=port, run_dir=folder, tell=tell)
            else:
                running = _start(emulator, port, tell)
                tell(f"{emulator} is ready after {time.monotonic() - begun:.1f} s")
        make_current(running)
        return running


def ensure_running(
    *, stage: str | None = None, progress: Callable[[str], None] | None = None
) -> Settings:
    """Return the settings of the local AWS; start one where none runs and none is named.

    For examples and scripts. Raises UsageError where the environment chooses another AWS than
    this machine's, EmulatorError as `up` does.
    """
    named = Settings.from_env(os.environ)
    if not is_chosen(named, os.environ) and current() is None:
        up(progress=progress)
    settings = settings_from_environment()
    if not settings.local:
        message = "this runs on a local AWS only, and the environment chooses another one"
        raise UsageError(message, hint="Unset AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL.")
    return settings if stage is None else replace(settings, stage=stage)


def _running(kind: EmulatorKind, port: int) -> Emulator | None:
    """Return the emulator that already serves the port; clear away one that is broken."""
    known = recorded(port)
    if known is not None and runs(known):
        if known.kind != kind:
            message = f"port {port} is in use by {known.kind} (pid {known.pid})"
            hint = f"Stop it with `sqswarm down --port {port}`, or choose another `--port`."
            raise EmulatorError(message, hint=hint)
        if is_healthy(known):
            return known
    # Also where nothing is recorded: a crash may have left function processes behind.
    end(known, run_dir(port))
    return None


def _start(kind: EmulatorKind, port: int, tell: Callable[[str], None]) -> Emulator:
    python = environment_python(kind, tell)
    folder = run_dir(port)
    for leftover in (folder / "data", folder / "tmp"):
        shutil.rmtree(leftover, ignore_errors=True)
        leftover.mkdir(parents=True)
    log_path = folder / "emulator.log"
    crashed = recorded(port)  # `down` would have removed it; whoever knew its key goes on
    key_id = (crashed and crashed.access_key_id) or new_key_id()
    start = command(kind, python=python, port=port, run_dir=folder, key_id=key_id)
    with log_path.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            start.arguments,
            cwd=folder,
            env=start.environ,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    outlives(process)
    emulator = Emulator(
        kind=kind,
        port=port,
        endpoint_url=f"http://127.0.0.1:{port}",
        pid=process.pid,
        log_path=log_path,
        started_at=psutil.Process(process.pid).create_time(),
        access_key_id=key_id,
    )
    # Written before it is ready: should we be interrupted now, `down` still finds it.
    write_atomically(folder / "emulator.json", emulator.dump())
    try:
        _wait_until_ready(emulator, process)
    except BaseException:
        end(emulator, folder)
        raise
    return emulator


def _wait_until_ready(emulator: Emulator, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while health_report(emulator.port, emulator.kind) is None:
        if process.poll() is not None:
            raise _not_ready(emulator, f"stopped at once with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise _not_ready(emulator, f"did not answer within {_START_TIMEOUT_S:.0f} s")
        time.sleep(0.03)


def _not_ready(emulator: Emulator, what: str) -> EmulatorError:
    lines = emulator.log_path.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    tail = "\n".join(f"  {line}" for line in lines) or "  (empty)"
    message = f"{emulator.kind} {what}; the end of its log:\n{tail}"
    return EmulatorError(message, hint=f"Read the whole log: {emulator.log_path}")


def _check_port(port: int) -> None:
    """Raise EmulatorError when someone else listens on the port.

    A process that was just killed holds its port until its last thread is gone, and is then no
    longer to be seen: such a port gets a moment.
    """
    deadline = time.monotonic() + _PORT_RELEASE_S
    while (error := cannot_bind(port)) is not None:
        who = holder(port)
        if who or time.monotonic() > deadline:
            message = f"port {port} cannot be used: {error.strerror}{who}"
            hint = "Stop that program, or choose another port with `--port`."
            raise EmulatorError(message, hint=hint) from error
        time.sleep(0.05)


def cannot_bind(port: int) -> OSError | None:
    """Return why nobody could listen on the port now, None where somebody could."""
    with socket.socket() as probe:
        # As servers do: a connection of an earlier run that lingers does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error
    return None


def holder(port: int) -> str:
    """Return who listens on the port, where the system tells."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr[1] == port and connection.pid:
                return f" (pid {connection.pid}, {psutil.Process(connection.pid).name()})"
    return ""
