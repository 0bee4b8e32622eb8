"""Fixtures of the server's tests."""

import pytest
from rpc import Rpc
from server_fixtures import lambda_server, served, server_stage  # noqa: F401


@pytest.fixture
def rpc(served):  # noqa: F811
    """A client that declares the Tasks extension and puts forms before people."""
    return Rpc(served)


@pytest.fixture
def plain(served):  # noqa: F811
    """A client that declares nothing."""
    return Rpc(served, tasks=False, elicitation=False)
