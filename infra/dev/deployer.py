"""Deployer: the standby processes as their parent sees them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqswarm.schemas.settings import Settings

_END_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a reload ended: what it did, or the `error` (type, message, hint) that it met."""

    what: str = ""
    notes: Sequence[str] = ()
    agents: Sequence[Mapping[str, Any]] = ()
    error: Mapping[str, str] | None = None


@dataclass(kw_only=True)
class Deployer:
    """Keeps one process standing by while another is at work; `close` ends both."""

    settings: Settings
    modules: Sequence[str]
    folder: Path
    _now: subprocess.Popen[str] | None = field(default=None, init=False)
    _next: subprocess.Popen[str] | None = field(default=None, init=False)

    def stand_by(self) -> None:
        """Start the next process, where none waits."""
        if self._next is not None and self._next.poll() is None:
            return
        chosen = {"SQSWARM_STAGE": self.settings.stage}
        if self.settings.endpoint_url:
            chosen["AWS_ENDPOINT_URL"] = self.settings.endpoint_url
        self._next = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "sqswarm.infra.dev.standby", *self.modules],
            cwd=self.folder,
            env={**os.environ, **chosen},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # a Ctrl-C is ours to act upon
        )

    def deploy(self, *, step: Callable[[str], None], live: Callable[[], None]) -> Outcome:
        """Reload, telling of it; `live` is called once the functions have the new code."""
        self.stand_by()
        self._now, self._next = self._next, None
        outcome = Outcome(error=_DIED)
        for said in self._conversation(self._now):
            if "step" in said:
                step(said["step"])
            elif "live" in said:
                live()
                self.stand_by()  # it gets ready while this one checks that functions start
            elif "error" in said:
                outcome = Outcome(error=said["error"])
            else:
                outcome = Outcome(**said["done"])
        _end(self._now)
        self.stand_by()
        return outcome

    def _conversation(self, process: subprocess.Popen[str] | None) -> Iterator[dict[str, Any]]:
        if process is None or process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("go\n")
            process.stdin.flush()
        for line in process.stdout:
            yield json.loads(line)

    def close(self) -> None:
        """End both processes."""
        _end(self._now)
        _end(self._next)
        self._now = self._next = None


def _end(process: subprocess.Popen[str] | None) -> None:
    if process is None:
        return
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream:
                stream.close()
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_DIED = {
    "type": "DeployFailed",
    "message": "the process that reads the agents ended without a word",
    "hint": "What it said stands above; an agent's module may end the process while imported.",
}
