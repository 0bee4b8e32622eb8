"""Session: what the options that every verb takes say, and the connections made from them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sqswarm.infra.cli.output import note
from sqswarm.infra.cli.seen_names import remember_names
from sqswarm.infra.probe import probe

if TYPE_CHECKING:
    from sqswarm import Swarm
    from sqswarm.backends.aws.caller import ClientFactory
    from sqswarm.dispatcher.connection import Connection
    from sqswarm.infra.plan import Plan
    from sqswarm.infra.project import Project
    from sqswarm.schemas.naming import Names
    from sqswarm.schemas.settings import Settings


@dataclass(kw_only=True)
class Session:
    """One run of the command line. `json` means that stdout is for a machine."""

    json: bool = False
    debug: bool = False
    stage: str | None = None
    endpoint: str | None = None

    def settings(self) -> Settings:
        """Return the settings of the environment, overridden by the options.

        Says on stderr where the endpoint is the running emulator: nothing else shows it.
        """
        from sqswarm.backends.aws.connect import settings_from_environment
        from sqswarm.schemas.naming import Names
        from sqswarm.schemas.settings import Settings

        named = Settings.from_env(os.environ)
        if self.endpoint is not None:
            settings = replace(named, endpoint_url=self.endpoint)
        else:
            settings = settings_from_environment()
            if settings.endpoint_url and not named.endpoint_url:
                self.note(f"using the local emulator at {settings.endpoint_url}")
        if self.stage is not None:
            settings = replace(settings, stage=self.stage)
        # Its names are made later, after calls that a bad stage need not wait for.
        Names(stage=settings.stage, account="", region="")
        return settings

    def reachable(self) -> Settings:
        """Return the settings; raises Unreachable where nothing listens at a local endpoint."""
        settings = self.settings()
        probe(settings)
        return settings

    def stage_name(self) -> str:
        """Return the stage alone, without looking for an endpoint."""
        from sqswarm.schemas.settings import Settings

        return self.stage or Settings.from_env(os.environ).stage

    def swarm(self) -> Swarm:
        """Connect to the swarm as its operator: who reads the table directly sees all of it."""
        from sqswarm import Swarm

        settings = self.reachable()
        swarm = Swarm.connect(settings, operator=True)
        remember_names(swarm.agents(), settings, os.environ)
        return swarm

    def connection(self) -> Connection:
        """Return an operator's connection, for what the Swarm does not do."""
        from sqswarm.backends.aws.caller import BlockingCaller
        from sqswarm.backends.aws.connect import client_factory
        from sqswarm.backends.runner import BlockingRunner, run_straight
        from sqswarm.dispatcher.connection import open_connection
        from sqswarm.dispatcher.tracing import start_tracing

        settings = self.reachable()
        start_tracing(os.environ)
        caller = BlockingCaller(client_factory(settings))
        return run_straight(open_connection(settings, caller, BlockingRunner(), operator=True))

    def clients(self) -> tuple[Names, ClientFactory]:
        """Return the stage's names and AWS clients, for what the Swarm does not do."""
        from sqswarm.backends.aws.connect import client_factory, names_of
        from sqswarm.infra.account import with_account

        settings = self.reachable()
        clients = client_factory(settings)
        return names_of(with_account(settings, clients)), clients

    def project(self, modules: Sequence[str]) -> Project:
        """Return the project of the current folder."""
        from sqswarm.infra.project import find_project

        return find_project(Path.cwd(), modules=modules)

    def plan(self, modules: Sequence[str], stage: str) -> Plan:
        """Return what the project's agents need on `stage`."""
        from sqswarm.infra.plan import plan

        return plan(self.project(modules), stage=stage)

    def note(self, text: str) -> None:
        """Say something in passing, on stderr; machines are spared it."""
        if not self.json:
            note(text, dim=sys.stderr.isatty())


def session_of(context: typer.Context) -> Session:
    """Return the session that the app's callback made."""
    session = context.obj
    if not isinstance(session, Session):
        message = "a verb was called without the app"
        raise TypeError(message)
    return session


def modules_of(text: str | None) -> tuple[str, ...]:
    """Return the modules of `--agents a,b`."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
