"""ServerContext: one connection to a stage, through which all callers act as themselves."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from sqswarm.backends.aws.caller import AioCaller, AwsCaller, ThreadedCaller
from sqswarm.backends.aws.connect import (
    client_factory,
    client_options,
    identify,
    settings_from_environment,
)
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.async_client import AsyncSwarm
from sqswarm.dispatcher.connection import (
    UNREAD,
    Connection,
    connect,
    open_connection,
    read_catalogue,
)
from sqswarm.dispatcher.server.auth.identity import Identity
from sqswarm.dispatcher.tracing import start_tracing
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import InvalidSettings, NotDeployed, Unreachable
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import Settings

WAIT_S = 25.0
"""How long a call waits at most: API Gateway gives an answer up after 29 seconds."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """`wait_s`: seconds a call without a task waits for its result, before it tells the task's id.

    `catalogue_s`: seconds until a new deployment's agents are seen. `look_s`: seconds between two
    reads of the tasks that a subscription follows. `streams`: whether the transport can hold a
    response open; Lambda behind mangum cannot.
    """

    wait_s: float = WAIT_S
    catalogue_s: float = 10.0
    look_s: float = 0.5
    streams: bool = True

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, streams: bool = True) -> ServerSettings:
        """Return what SQSWARM_SERVER_WAIT_S and SQSWARM_SERVER_CATALOGUE_S say.

        Raises InvalidSettings for what is no number of seconds.
        """
        return cls(
            wait_s=_seconds(env, "SQSWARM_SERVER_WAIT_S", WAIT_S),
            catalogue_s=_seconds(env, "SQSWARM_SERVER_CATALOGUE_S", 10.0),
            streams=streams,
        )


class ServerContext:
    """What MCP and HTTP share: connections for principals, and the catalogue, kept fresh."""

    def __init__(
        self,
        connection: Connection,
        settings: ServerSettings,
        close: Callable[[], Awaitable[None]],
    ) -> None:
        """Contexts are made by `connect`, and on Lambda by `connect_threaded`."""
        self._connection = connection
        self._close = close
        self._read_at = time.monotonic()
        self._reading = asyncio.Lock()
        self.settings = settings

    @classmethod
    async def connect(
        cls, settings: Settings | None = None, options: ServerSettings | None = None
    ) -> Self:
        """Connect on aioboto3, on the running event loop; raises as `Swarm.connect` does."""
        import aioboto3

        start_tracing(os.environ)
        known = settings or settings_from_environment()
        caller = AioCaller(aioboto3.Session(), lambda service: client_options(known, service))
        try:
            connection = await _connection(known, caller)
        except BaseException:
            await caller.close()
            raise
        return cls(connection, options or ServerSettings(), caller.close)

    @classmethod
    async def connect_threaded(cls, settings: Settings, options: ServerSettings) -> Self:
        """Connect on boto3, which Lambda has at hand.

        A deployment starts the function before it writes the catalogue: then the first request
        reads it.
        """
        start_tracing(os.environ)
        caller = ThreadedCaller(client_factory(settings))
        known = await identify(settings, caller)
        principal = str(known.principal)
        connection = connect(known, caller, AsyncRunner(), principal=principal, operator=False)
        made = cls(connection, options, _nothing)
        try:
            await connection.with_catalogue()
        except NotDeployed:
            made._read_at = -math.inf
        return made

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
        if self._reading.locked():  # another request reads it: nobody waits for that
            return self.catalogue
        async with self._reading:
            if time.monotonic() - self._read_at < self.settings.catalogue_s:
                return self.catalogue
            self._read_at = time.monotonic()
            try:
                fresh = await read_catalogue(self._connection.blobs, self._connection.names)
            except (Unreachable, NotDeployed):
                if self.catalogue is UNREAD:
                    self._read_at = -math.inf
                    raise
                return self.catalogue
            if fresh != self.catalogue:
                # Compiled validators belong to the old one.
                self._connection = replace(self._connection, catalogue=fresh, _validators={})
            return fresh

    def connection(self, identity: Identity) -> Connection:
        """Return the connection of this identity."""
        return replace(self._connection, principal=identity.principal, operator=identity.operator)

    def swarm(self, identity: Identity) -> AsyncSwarm:
        """Return the swarm as this identity sees it; closing it closes nothing."""
        return AsyncSwarm(self.connection(identity))


async def _connection(settings: Settings, caller: AwsCaller) -> Connection:
    return await open_connection(settings, caller, AsyncRunner(), operator=False)


async def _nothing(*_: Any) -> None:
    return None


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 900:  # noqa: PLR2004 - no Lambda function lives longer
        message = f"{name} is {text!r}, not a number of seconds up to 900"
        raise InvalidSettings(message)
    return seconds
