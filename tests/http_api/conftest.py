"""The HTTP API over real HTTP, behind tokens, in front of the probe swarm on the emulator."""

import asyncio
import os
from functools import partial

import pytest
from http_api_client import Api
from probe_stage import aws, deployed  # noqa: F401
from served import Issuer, serve

from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.dispatcher.server.app import build_app
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings


@pytest.fixture(scope="session")
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture(scope="session")
def served(deployed, issuer):  # noqa: F811
    settings = settings_from_environment()
    context = asyncio.run(ServerContext.connect_threaded(settings, ServerSettings()))
    env = {**os.environ, **issuer.environment()}
    with serve(
        partial(build_app, context), lambda log: access_from_environment(env, log=log)
    ) as running:
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
