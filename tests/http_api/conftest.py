"""The HTTP API over real HTTP, behind tokens, in front of the probe swarm on the emulator."""

import asyncio
import os

import pytest
from starlette.applications import Starlette
from tests.auth.served import Issuer, serve
from tests.e2e.conftest import aws, deployed  # noqa: F401
from tests.http_api.api import Api

from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings
from sqswarm.dispatcher.server.http.routes import routes


@pytest.fixture(scope="session")
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(deployed, issuer):  # noqa: F811
    settings = settings_from_environment()
    context = asyncio.run(ServerContext.connect_threaded(settings, ServerSettings()))
    app = Starlette(routes=routes(context))
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
