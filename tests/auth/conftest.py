"""An application that says who called it, behind AuthMiddleware, over real HTTP."""

from contextlib import ExitStack

import pytest
from served import Issuer, guarded_echo, serve

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
                serve(guarded_echo, lambda log: access_from_environment(env, log=log))
            )

        yield start


@pytest.fixture
def server(guarded, issuer):
    """The echo behind tokens of the issuer."""
    return guarded(**issuer.environment())
