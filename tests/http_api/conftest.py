"""The HTTP API over real HTTP, behind tokens, in front of the probe swarm on the emulator."""

import contextlib
import os
from dataclasses import replace

import pytest
from http_api_client import Api
from probe_stage import aws, deployed  # noqa: F401
from served import Issuer, serve
from starlette.applications import Starlette

from sqswarm import AsyncSwarm
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.http import routes


class OneDoor:
    """A server onto one connected swarm: each caller's desk is the same but for who sits at it."""

    def __init__(self):
        self._swarm = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app):
        self._swarm = await AsyncSwarm.connect()
        try:
            yield
        finally:
            await self._swarm.close()

    def swarm(self, caller):
        mine = replace(
            self._swarm._connection, principal=caller.principal, operator=caller.operator
        )
        return AsyncSwarm(mine, self._swarm._caller)


@pytest.fixture(scope="session")
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(deployed, issuer):  # noqa: F811
    server = OneDoor()
    app = Starlette(routes=routes(server), lifespan=server.lifespan)
    env = {**os.environ, **issuer.environment()}
    with serve(app, lambda log: access_from_environment(env, log=log)) as running:
        yield running


@pytest.fixture
def api(served, issuer):
    served.refusals()
    return Api(served, issuer.token("ada"))


@pytest.fixture
def bo(served, issuer):
    return Api(served, issuer.token("bo"))


@pytest.fixture
def operator(served, issuer):
    return Api(served, issuer.token("olga", scope="tasks:read tasks:write operator"))
