"""Fixtures of the door's tests."""

import pytest
from door_fixtures import door_stage, lambda_door, served  # noqa: F401
from rpc import Rpc


@pytest.fixture
def rpc(served):  # noqa: F811
    """A client that declares the Tasks extension and puts forms before people."""
    return Rpc(served)


@pytest.fixture
def plain(served):  # noqa: F811
    """A client that declares nothing."""
    return Rpc(served, tasks=False, elicitation=False)
