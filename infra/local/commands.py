"""How each emulator is started: its command and its variables."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.environment import child_environ
from sqswarm.infra.local.processes import RUN_MARKER

_MODULES = {"localstack": "sqswarm_localstack", "ministack": "sqswarm_localstack.ministack_main"}
# ministack's functions inherit all its variables, so it gets only what a process needs to run.
_MINISTACK_INHERITS = ("PATH", "HOME", "LANG", "LC_ALL", "LOG_LEVEL")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to start in the foreground."""

    arguments: list[str]
    environ: dict[str, str]


def command(kind: EmulatorKind, *, python: Path, port: int, run_dir: Path, key_id: str) -> Command:
    """Return how to start an emulator in its environment, with all its state in `run_dir`."""
    arguments = [str(python), "-m", _MODULES[kind]]
    common = {
        RUN_MARKER: str(run_dir),
        "SQSWARM_FUNCTION_PYTHON": sys.executable,
        "SQSWARM_EMULATOR_KEY": key_id,
    }
    if kind == "localstack":
        return Command(
            arguments=arguments,
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
        arguments=arguments,
        environ={
            **inherited,
            **common,
            "GATEWAY_PORT": str(port),
            # It listens on every interface otherwise, and its other servers always do.
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "MINISTACK_HOST": "localhost",
            "TMPDIR": str(run_dir / "tmp"),
            "S3_DATA_DIR": str(run_dir / "data" / "s3"),
            "STATE_DIR": str(run_dir / "data" / "state"),
        },
    )
