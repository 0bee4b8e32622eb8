"""Follow: what all agents print, interleaved, in a thread beside the one that watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, translated
from sqswarm.infra.dev.log_line import log_line
from sqswarm.infra.dev.screen import Screen
from sqswarm.infra.log_events import LogFollower, log_groups

_POLL_LOCAL_S = 0.25
_POLL_AWS_S = 2.0
_LOOK_FOR_GROUPS_S = 10.0


@dataclass(kw_only=True)
class Follower:
    """Shows the logs of every function of a stage until it is stopped."""

    clients: ClientFactory
    prefix: str
    folders: Sequence[Path]
    screen: Screen
    local: bool
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Follow, from now on."""
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show what was printed up to now, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_POLL_AWS_S)

    def _run(self) -> None:
        follower = LogFollower(client=self.clients("logs"))
        groups: list[str] = []
        looked = 0.0
        lost = False
        while True:
            ends = self._stop.is_set()
            try:
                if time.monotonic() - looked > _LOOK_FOR_GROUPS_S or not groups:
                    groups = log_groups(self.clients("logs"), self.prefix)
                    looked = time.monotonic()
                for event in follower.read(groups):
                    agent = event.group.removeprefix(self.prefix)
                    if (line := log_line(event, agent, self.folders)) is not None:
                        self.screen.line(line)
                lost = False
            except (ClientError, BotoCoreError) as error:
                looked = 0.0
                if not lost and not ends:
                    self._say(error)
                lost = True
            if ends:
                return
            self._stop.wait(_POLL_LOCAL_S if self.local else _POLL_AWS_S)

    def _say(self, error: ClientError | BotoCoreError) -> None:
        told = translated(error, "logs")
        hint = getattr(told, "hint", "Run `sqswarm doctor`.")
        shown = {"type": type(told).__name__, "message": str(told), "hint": hint}
        self.screen.fail(shown, then="the logs go on when it answers again")
