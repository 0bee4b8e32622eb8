"""Console: `sqswarm ui` in a process beside, where its extra is installed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from sqswarm.schemas.settings import Settings

_END_S = 5.0


@contextlib.contextmanager
def console(settings: Settings, told: Callable[[str], None]) -> Iterator[None]:
    """Serve the console until the block ends; `told` gets its address, once it answers.

    Without the extra `ui` nothing is served, and nothing is said.
    """
    if find_spec("nicegui") is None:
        yield
        return
    chosen = {"SQSWARM_STAGE": settings.stage, "AWS_ENDPOINT_URL": settings.endpoint_url or ""}
    process = subprocess.Popen(
        [sys.executable, "-m", "sqswarm", "ui", "--no-open"],
        env={**os.environ, **{name: value for name, value in chosen.items() if value}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a Ctrl-C is ours to act upon
    )
    reader = threading.Thread(target=_read, args=(process, told), name="console", daemon=True)
    reader.start()
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(_END_S)
        if process.stdout:
            process.stdout.close()


def _read(process: subprocess.Popen[str], told: Callable[[str], None]) -> None:
    for line in process.stdout or ():
        if line.startswith("http"):
            told(line.strip())
