"""The loop of `sqswarm dev`: deploy, watch, reload on each save, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.infra.account import with_account
from sqswarm.infra.dev.console import console
from sqswarm.infra.dev.deployer import Deployer, Outcome
from sqswarm.infra.dev.follow import Follower
from sqswarm.infra.dev.screen import Screen, shown
from sqswarm.infra.dev.watch import saved_s_ago, saves, watched_folders
from sqswarm.infra.project import Project
from sqswarm.schemas.settings import Settings

_OLD_GOES_ON = "the old code goes on; save again when it is mended"
_NOTHING_YET = "nothing is deployed yet; save again when it is mended"


@dataclass(kw_only=True)
class Loop:
    """One run of `sqswarm dev`, on an endpoint that answers."""

    settings: Settings
    project: Project
    modules: Sequence[str]
    folder: Path
    screen: Screen
    where: str
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _stands: bool = field(default=False, init=False)

    def run(self) -> None:
        """Run until somebody interrupts; everything that this started has ended then."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop.set)
            deployer = Deployer(settings=self.settings, modules=self.modules, folder=self.folder)
            stack.callback(deployer.close)
            deployer.stand_by()
            self._first(deployer)
            clients = client_factory(self.settings)
            names = names_of(with_account(self.settings, clients))
            follower = Follower(
                clients=clients,
                prefix=f"/aws/lambda/{names.stack}-",
                folders=(*self.project.pythonpath, self.project.root),
                screen=self.screen,
                local=self.settings.local,
            )
            stack.callback(follower.stop)
            follower.start()
            stack.enter_context(console(self.settings, self._console))
            try:
                for files in saves(watched_folders(self.project), self._stop):
                    self._reload(deployer, files)
            finally:
                self.screen.say("ending", "\nending", dim=True)

    def _first(self, deployer: Deployer) -> None:
        begun = time.monotonic()
        outcome = deployer.deploy(step=self._step, live=lambda: None)
        if outcome.error is not None:
            self.screen.fail(outcome.error, then=_NOTHING_YET)
        else:
            self._stands = True
            took = time.monotonic() - begun
            text = f"sqswarm dev: stage {self.settings.stage!r} on {self.where} ({took:.1f} s)"
            self.screen.say("ready", text, agents=outcome.agents, seconds=round(took, 2))
            self.screen.agents(outcome.agents)
            self._notes(outcome)
        self.screen.say("watching", f"  watching {self.folder}; Ctrl-C ends it all", dim=True)

    def _reload(self, deployer: Deployer, files: Sequence[Path]) -> None:
        begun = time.monotonic() - (saved_s_ago(files) or 0.0)
        there = [file for file in files if file.exists()] or files  # editors write beside and move
        what = ", ".join(shown(file, self.folder) for file in there[:3])
        seconds: list[float] = []
        outcome = deployer.deploy(
            step=self._step, live=lambda: seconds.append(time.monotonic() - begun)
        )
        if outcome.error is not None:
            self.screen.fail(outcome.error, then=_OLD_GOES_ON if self._stands else _NOTHING_YET)
            return
        self._stands = True
        if outcome.what == "nothing":
            self.screen.say("unchanged", f"{what}: nothing that runs has changed", dim=True)
            return
        took = seconds[0] if seconds else time.monotonic() - begun
        text = f"{what}: live after {took:.2f} s"
        self.screen.say("live", text, what=outcome.what, seconds=round(took, 3))
        if outcome.what == "stack":
            self.screen.agents(outcome.agents)
        self._notes(outcome)

    def _notes(self, outcome: Outcome) -> None:
        for note in outcome.notes:
            self.screen.say("note", f"note: {note}", dim=True)

    def _console(self, url: str) -> None:
        self.screen.say("console", f"  console: {url}", url=url)

    def _step(self, text: str) -> None:
        self.screen.say("step", text, dim=True)


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """Let Ctrl-C, or a polite kill, end the block and nothing else."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt
