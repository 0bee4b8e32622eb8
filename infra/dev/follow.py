"""Follow: what all agents print, interleaved, in a thread beside the one that watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, translated
from sqswarm.infra.cli.log_events import events, groups
from sqswarm.infra.dev.log_line import log_line
from sqswarm.infra.dev.screen import Screen
from sqswarm.schemas.errors import UnknownAgent

_POLL_LOCAL_S = 0.25
_POLL_AWS_S = 2.0
_LOOK_FOR_GROUPS_S = 10.0
_LATE_MS = 5_000
"""Lines may become visible some seconds after their time: a reading looks back so far."""


@dataclass(kw_only=True)
class Follower:
    """Shows the logs of every function of a stage until it is stopped."""

    clients: ClientFactory
    prefix: str
    folders: Sequence[Path]
    screen: Screen
    local: bool
    _start_ms: int = field(default_factory=lambda: int(1000 * time.time()), init=False)
    _seen: dict[tuple[str, int, str], None] = field(default_factory=dict, init=False)
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
        client = self.clients("logs")
        found: list[str] = []
        looked = 0.0
        lost = False
        while True:
            ends = self._stop.is_set()
            try:
                if time.monotonic() - looked > _LOOK_FOR_GROUPS_S or not found:
                    found = groups(client, self.prefix)
                    looked = time.monotonic()
                self._read(client, found)
                lost = False
            except UnknownAgent:  # a deployment has just taken its group away
                looked = 0.0
            except (ClientError, BotoCoreError) as error:
                looked = 0.0
                if not lost and not ends:
                    self._say(error)
                lost = True
            if ends:
                return
            self._stop.wait(_POLL_LOCAL_S if self.local else _POLL_AWS_S)

    def _read(self, client: Any, found: Sequence[str]) -> None:
        """Show what is new in the groups, the oldest first."""
        read = [event for group in found for event in events(client, group, self._start_ms)]
        for event in sorted(read, key=lambda one: int(one["timestamp"])):
            # Not by its id: ministack gives none.
            line = (event["logStreamName"], int(event["timestamp"]), event["message"])
            if line in self._seen:
                continue
            self._seen[line] = None
            self._start_ms = max(self._start_ms, event["timestamp"] - _LATE_MS)
            agent = event["group"].removeprefix(self.prefix)
            if (shown := log_line(event, agent, self.folders)) is not None:
                self.screen.line(shown)
        for old in [line for line in self._seen if line[1] < self._start_ms]:
            del self._seen[old]  # no reading gives it again

    def _say(self, error: ClientError | BotoCoreError) -> None:
        told = translated(error, "logs")
        hint = getattr(told, "hint", "Run `sqswarm doctor`.")
        shown = {"type": type(told).__name__, "message": str(told), "hint": hint}
        self.screen.fail(shown, then="the logs go on when it answers again")
