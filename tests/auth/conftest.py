"""An application that says who called it, behind AuthMiddleware, over real HTTP."""

from contextlib import ExitStack

import pytest
from tests.auth.served import Issuer, echo, serve

from sqswarm.dispatcher.server.auth import access_from_environment


@pytest.fixture(scope="session")
def issuer():
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def guarded():
    """Serve the echo behind what an environment describes."""
    with ExitStack() as stack:

        def start(**env):
            return stack.enter_context(
                serve(echo(), lambda log: access_from_environment(env, log=log))
            )

        yield start


@pytest.fixture
def server(guarded, issuer):
    """The echo behind tokens of the issuer."""
    return guarded(**issuer.environment())
