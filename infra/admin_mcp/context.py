"""AdminContext: the one endpoint and stage that a server looks after, and connections to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqswarm import Swarm
from sqswarm.backends.aws.caller import BlockingCaller, ClientFactory
from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.backends.runner import BlockingRunner, run_straight
from sqswarm.dispatcher.connection import Connection, open_connection
from sqswarm.infra.account import with_account
from sqswarm.infra.probe import probe
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AdminContext:
    """Where the tools work. The endpoint is fixed when the server starts.

    Were it looked up for each call, a server allowed to write to an emulator would write to AWS
    once the emulator has stopped. `writes` says whether tools that change anything are served.
    """

    settings: Settings
    writes: bool

    @property
    def where(self) -> str:
        """Return the endpoint as people name it."""
        return self.settings.endpoint_url or f"AWS, region {self.settings.region}"

    @cached_property
    def _clients(self) -> ClientFactory:
        return client_factory(self.settings)

    def client(self, service: str) -> Any:
        """Return a boto3 client; raises Unreachable where nothing listens at a local endpoint."""
        probe(self.settings)
        return self._clients(service)

    def names(self) -> Names:
        """Return the stage's names, asking STS for the account."""
        probe(self.settings)
        return names_of(with_account(self.settings, self._clients))

    @contextmanager
    def swarm(self) -> Iterator[Swarm]:
        """Connect to the stage's swarm as its operator.

        Anew for each call: what is deployed may have changed since the last, and the clients
        (which are slow to make) are kept.
        """
        runner = BlockingRunner()
        with Swarm(self._connection(runner), runner) as swarm:
            yield swarm

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Connect likewise, for what the Swarm does not do."""
        runner = BlockingRunner()
        try:
            yield self._connection(runner)
        finally:
            runner.close()

    def _connection(self, runner: BlockingRunner) -> Connection:
        probe(self.settings)
        caller = BlockingCaller(self._clients)
        return run_straight(open_connection(self.settings, caller, runner, operator=True))
