"""How each emulator is started: its command and its variables."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.environment import child_environ
from sqswarm.infra.local.processes import RUN_MARKER

# ministack runs functions with its own interpreter, whose packages are not the project's, and has
# no setting for it. It looks the interpreter up in this one place.
_MINISTACK = """\
import os, runpy, sys
sys.executable = os.environ.pop("SQSWARM_FUNCTION_PYTHON")
runpy.run_module("ministack", run_name="__main__", alter_sys=True)
"""
# Its functions inherit all its variables, so it gets only what a process needs to run.
_MINISTACK_INHERITS = ("PATH", "HOME", "LANG", "LC_ALL", "LOG_LEVEL")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start in the foreground."""

    arguments: list[str]
    environ: dict[str, str]


def command(kind: EmulatorKind, *, python: Path, port: int, run_dir: Path) -> Command:
    """Return how to start an emulator in its environment, with all its state in `run_dir`."""
    common = {RUN_MARKER: str(run_dir), "SQSWARM_FUNCTION_PYTHON": sys.executable}
    if kind == "localstack":
        return Command(
            arguments=[str(python), "-m", "sqswarm_localstack"],
            environ={
                **child_environ(os.environ.items()),
                **common,
                "GATEWAY_LISTEN": f"127.0.0.1:{port}",
                "LOCALSTACK_HOST": f"localhost:{port}",
                "FILESYSTEM_ROOT": str(run_dir / "data"),
                # Its index of plugins: beside the environment that it describes, not in ~/.cache.
                "XDG_CACHE_HOME": str(python.parents[1] / "cache"),
            },
        )
    inherited = {name: os.environ[name] for name in _MINISTACK_INHERITS if name in os.environ}
    return Command(
        arguments=[str(python), "-c", _MINISTACK],
        environ={
            **inherited,
            **common,
            "GATEWAY_PORT": str(port),
            # It listens on every interface otherwise.
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "localhost",
            "TMPDIR": str(run_dir / "tmp"),
            "S3_DATA_DIR": str(run_dir / "data" / "s3"),
            "STATE_DIR": str(run_dir / "data" / "state"),
        },
    )
