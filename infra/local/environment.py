"""Make the pinned virtual environment of an emulator, once."""

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import psutil

from sqswarm.infra.local import sources
from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.infra.local.home import locked, venvs_dir
from sqswarm.infra.local.running import status

# Written last: an environment without it was interrupted, and is made again.
_COMPLETE = ".complete"
_OLDEST, _NEWEST = (3, 11), (3, 13)
_INDEX = "sqswarm_localstack.service_index"
_TAIL_LINES = 15
_KEEP_UNUSED_S = 24 * 3600


def environment_python(kind: EmulatorKind, progress: Callable[[str], None]) -> Path:
    """Return the interpreter of the emulator's environment; make that on first use.

    Raises EmulatorError on a platform that the pins do not fit, and when the installation fails.
    """
    _check_platform(kind)
    key = f"{kind}-{sources.fingerprint(kind, sysconfig.get_platform() + sys.version[:4])}"
    folder = venvs_dir() / key
    python = folder / "bin" / "python"
    if (folder / _COMPLETE).exists():
        (folder / _COMPLETE).touch()
        return python
    with locked(venvs_dir() / f"{key}.lock", timeout_s=900):
        if (folder / _COMPLETE).exists():
            return python
        if folder.exists():
            progress(f"an earlier installation of {kind} was interrupted: starting over")
            shutil.rmtree(folder)
        progress(f"making the environment of {kind}, on first use only: {folder}")
        _install(kind, folder, progress)
        (folder / _COMPLETE).touch()
    _remove_outdated(kind, keep=folder)
    return python


def missing_needs(kind: EmulatorKind) -> EmulatorError | None:
    """Return what functions would lack in this interpreter's environment, where they run."""
    if kind != "localstack" or find_spec("awslambdaric") is not None:
        return None
    message = "functions run on awslambdaric, which is not installed here"
    return EmulatorError(
        message, hint="Install what the local AWS needs: pip install 'sqswarm[local]'"
    )


def child_environ(environ: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the variables that an emulator or an installer inherits.

    Without the AWS variables, which would send an emulator's own calls elsewhere; without those
    of Python, of which PYTHONDONTWRITEBYTECODE alone makes every start three times as slow.
    """
    prefixes = ("AWS_", "PYTHON", "LOCALSTACK_", "SQSWARM_")
    # LocalStack takes TMPDIR for a deprecated setting of its own and warns.
    names = {"VIRTUAL_ENV", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
    return {k: v for k, v in environ if k not in names and not k.startswith(prefixes)}


def _check_platform(kind: EmulatorKind) -> None:
    if sys.platform not in {"linux", "darwin"}:
        message = f"{kind} cannot run as a local process on {sys.platform}"
        raise EmulatorError(message, hint="Use `--emulator docker`, or Linux, macOS or WSL.")
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        message = f"{kind}'s pinned packages do not support Python {sys.version.split()[0]}"
        raise EmulatorError(message, hint="Use Python 3.11, 3.12 or 3.13, or `--emulator docker`.")


def _install(kind: EmulatorKind, folder: Path, progress: Callable[[str], None]) -> None:
    uv = find_uv()
    with tempfile.TemporaryDirectory(prefix="sqswarm-") as scratch:
        # Built from a copy: site-packages may be read-only, and stays as it was installed.
        plugin = shutil.copytree(sources.plugin(), Path(scratch, "plugin"))
        if uv:
            try:
                _install_with(_uv_commands(uv, kind, folder, plugin), kind, progress)
            except EmulatorError:
                # uv does not read pip's configuration: an index that only pip knows is still there.
                progress("uv could not install it; trying pip")
                shutil.rmtree(folder, ignore_errors=True)
            else:
                return
        _install_with(_pip_commands(kind, folder, plugin), kind, progress)


def _install_with(
    commands: list[tuple[str, list[str]]], kind: EmulatorKind, progress: Callable[[str], None]
) -> None:
    for what, command in commands:
        progress(what)
        environ = dict(os.environ)
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            tail = "\n".join(done.stdout.splitlines()[-_TAIL_LINES:])
            message = f"the environment of {kind} could not be made:\n{tail}"
            hint = "Check the network and the package index, then run the same command again."
            raise EmulatorError(message, hint=hint)


def find_uv() -> str | None:
    """Return the path of uv, if it is installed."""
    if find_spec("uv") is not None:
        from uv import find_uv_bin

        return str(find_uv_bin())
    return shutil.which("uv")


def _uv_commands(
    uv: str, kind: EmulatorKind, folder: Path, plugin: Path
) -> list[tuple[str, list[str]]]:
    python = str(folder / "bin" / "python")
    pip = [uv, "pip", "install", "--python", python, "--no-deps", "--compile-bytecode"]
    packages = sources.constraints(kind)
    commands = [
        ("creating it", [uv, "venv", "--quiet", "--python", sys.executable, str(folder)]),
        (f"installing the packages of {packages.name}", [*pip, "-r", str(packages)]),
        ("installing the plugin", [*pip, str(plugin)]),
    ]
    if kind == "localstack":
        commands.append(("indexing AWS's services", [python, "-m", _INDEX]))
    return commands


def _pip_commands(kind: EmulatorKind, folder: Path, plugin: Path) -> list[tuple[str, list[str]]]:
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--compile"]
    packages = sources.constraints(kind)
    commands = [
        ("creating it", [sys.executable, "-m", "venv", str(folder)]),
        (f"installing the packages of {packages.name}", [*pip, "-r", str(packages)]),
        ("installing the plugin", [*pip, str(plugin)]),
    ]
    if kind == "localstack":
        commands.append(("indexing AWS's services", [python, "-m", _INDEX]))
    return commands


def _remove_outdated(kind: EmulatorKind, *, keep: Path) -> None:
    """Delete environments of earlier pins and plugins that nothing has used for a day."""
    in_use = {keep, *(Path(command).parents[1] for command in _running_interpreters())}
    for marker in venvs_dir().glob(f"{kind}-*/{_COMPLETE}"):
        folder = marker.parent
        if folder not in in_use and time.time() - marker.stat().st_mtime > _KEEP_UNUSED_S:
            shutil.rmtree(folder, ignore_errors=True)


def _running_interpreters() -> list[str]:
    commands = []
    for emulator in status():
        with contextlib.suppress(psutil.Error, IndexError):
            commands.append(psutil.Process(emulator.pid).cmdline()[0])
    return commands
