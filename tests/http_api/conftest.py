"""The HTTP API over real HTTP, behind tokens, in front of the probe swarm on the emulator."""

import contextlib
import os
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from tests.auth.served import Issuer, serve
from tests.e2e.conftest import aws, deployed  # noqa: F401
from tests.http_api.api import Api

from sqswarm import AsyncSwarm
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.http.routes import routes


class OneSwarm:
    """One connected swarm: the connection of each caller differs by the principal only."""

    def __init__(self):
        self._swarm = None

    @contextlib.asynccontextmanager
    async def lifespan(self, _app):
        self._swarm = await AsyncSwarm.connect()
        try:
            yield
        finally:
            await self._swarm.close()

    def swarm(self, identity):
        mine = replace(
            self._swarm._connection, principal=identity.principal, operator=identity.operator
        )
        return AsyncSwarm(mine, self._swarm._caller)


@pytest.fixture(scope="session")
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(deployed, issuer):  # noqa: F811
    server = OneSwarm()
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
