"""ConsoleContext: the one stage a console looks at, and the acts it may do there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.backends.aws.connect import client_factory
from sqswarm.backends.log import Log
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.settings import Settings

if TYPE_CHECKING:
    from sqswarm import AsyncSwarm

T = TypeVar("T")

_CATALOGUE_S = 5.0
_SAMPLES = 120


class ReadOnly(UsageError):
    """An act was asked for where the console only reads."""

    hint = "Start it with `sqswarm ui --allow-writes`."


@dataclass(kw_only=True)
class ConsoleContext:
    """What every page works with. The endpoint is fixed when the console starts.

    `writes` says whether acts (submit, cancel, retry, …) are allowed. `log` tells of each who did
    it, to what, and how it ended.
    """

    settings: Settings
    writes: bool
    log: Log
    _swarm: AsyncSwarm | None = None
    _clients: ClientFactory | None = None
    _read_at: float = field(default=0.0)
    _connecting: asyncio.Lock = field(default_factory=asyncio.Lock)
    samples: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    """What ended in a minute, as the overview saw it: when, completed, failed."""

    @property
    def where(self) -> str:
        """Return the endpoint as people name it."""
        return self.settings.endpoint_url or f"AWS, region {self.settings.region}"

    async def swarm(self) -> AsyncSwarm:
        """Return the connection to the swarm, as its operator; made when it is first needed.

        What is deployed may change meanwhile, so the catalogue is read again after some seconds.
        Raises Unreachable or NotDeployed.
        """
        from sqswarm import AsyncSwarm

        async with self._connecting:
            if self._swarm is None:
                self._swarm = await AsyncSwarm.connect(self.settings, operator=True)
            elif time.monotonic() - self._read_at > _CATALOGUE_S:
                await self._swarm._connection.with_catalogue(fresh=True)  # noqa: SLF001
            else:
                return self._swarm
            self._read_at = time.monotonic()
            return self._swarm

    def client(self, service: str) -> Any:
        """Return a boto3 client, for what the swarm does not do; it blocks."""
        if self._clients is None:
            self._clients = client_factory(self.settings)
        return self._clients(service)

    def deployed(self) -> list[CatalogueEntry]:
        """Return the agents as they were read last."""
        return [] if self._swarm is None else self._swarm.agents()

    async def act(self, name: str, do: Callable[[AsyncSwarm], Awaitable[T]], **fields: Any) -> T:
        """Do an act and log it: `console.<name>`, `fields`, the principal and the outcome.

        Raises ReadOnly where the console only reads, and what the act raises.
        """
        if not self.writes:
            message = f"this console only reads {self.where}"
            raise ReadOnly(message)
        swarm = await self.swarm()
        log = self.log.bind(principal=swarm.principal, stage=self.settings.stage, **fields)
        event = f"console.{name}"
        try:
            done = await do(swarm)
        except Exception as error:
            log.warning(event, outcome="failed", error=type(error).__name__)
            raise
        log.info(event, outcome="done")
        return done

    async def close(self) -> None:
        """Close the connections."""
        if self._swarm is not None:
            await self._swarm.close()
