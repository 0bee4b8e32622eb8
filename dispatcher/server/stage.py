"""Stage: one connection to a stage, through which every caller acts as their own principal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Self

from sqswarm.backends.aws.caller import AioCaller, AwsCaller, ThreadedCaller
from sqswarm.backends.aws.connect import client_factory, client_options, settings_from_environment
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.async_client import AsyncSwarm
from sqswarm.dispatcher.connection import Connection, open_connection, read_catalogue
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.dispatcher.server.settings import ServerSettings
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import NotDeployed, Unreachable
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import Settings


class Stage:
    """What every front door needs: connection for principals, and the catalogue, kept fresh."""

    def __init__(
        self,
        connection: Connection,
        settings: ServerSettings,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        """Servers are made by `connect`, and on Lambda by `connect_threaded`."""
        self._connection = connection
        self._close = close
        self._read_at = time.monotonic()
        self._reading = asyncio.Lock()
        self.settings = settings

    @classmethod
    async def connect(
        cls, settings: Settings | None = None, stage: ServerSettings | None = None
    ) -> Self:
        """Connect on aioboto3, on the running event loop; raises as `Swarm.connect` does."""
        import aioboto3

        known = settings or settings_from_environment()
        caller = AioCaller(aioboto3.Session(), lambda service: client_options(known, service))
        try:
            connection = await _connection(known, caller)
        except BaseException:
            await caller.close()
            raise
        return cls(connection, stage or ServerSettings(), caller.close)

    @classmethod
    async def connect_threaded(cls, settings: Settings, stage: ServerSettings) -> Self:
        """Connect on boto3, which Lambda has at hand; raises as `Swarm.connect` does."""
        caller = ThreadedCaller(client_factory(settings))
        return cls(await _connection(settings, caller), stage, _nothing)

    async def close(self) -> None:
        """Close the connections."""
        await self._close()

    @property
    def stage(self) -> str:
        """Return the stage's name."""
        return self._connection.names.stage

    @property
    def catalogue(self) -> Catalogue:
        """Return the deployed agents, as they were when last looked."""
        return self._connection.catalogue

    def input_schema(self, agent: str) -> JsonObject | None:
        """Return an agent's input schema, None for an unknown one."""
        entry = self.catalogue.agents.get(agent)
        return None if entry is None else entry.input_schema

    async def refresh(self) -> Catalogue:
        """Read the catalogue again where it is older than the settings allow; return it.

        Where it cannot be read now, the one that is known goes on being served.
        """
        if self._reading.locked():  # somebody is at it: nobody waits for that
            return self.catalogue
        async with self._reading:
            if time.monotonic() - self._read_at < self.settings.catalogue_s:
                return self.catalogue
            self._read_at = time.monotonic()
            try:
                fresh = await read_catalogue(self._connection.blobs, self._connection.names)
            except (Unreachable, NotDeployed):
                return self.catalogue
            if fresh != self.catalogue:
                # Compiled validators belong to the old one.
                self._connection = replace(self._connection, catalogue=fresh, _validators={})
            return fresh

    def connection(self, caller: Identity) -> Connection:
        """Return the connection at which this caller acts."""
        return replace(self._connection, principal=caller.principal, operator=caller.operator)

    def swarm(self, caller: Identity) -> AsyncSwarm:
        """Return the swarm as this caller sees it; closing it closes nothing."""
        return AsyncSwarm(self.connection(caller), _Shared())


class _Shared:
    """What a view closes: nothing, the connection is the server's."""

    async def close(self) -> None:
        """Leave the server's connection open."""


async def _connection(settings: Settings, caller: AwsCaller) -> Connection:
    return await open_connection(settings, caller, AsyncRunner(), operator=False)


async def _nothing(*_: Any) -> None:
    return None
