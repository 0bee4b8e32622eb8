"""Fixtures of the official suite: installed once, against both hostings."""

import os

import pytest
from door_fixtures import door_stage, lambda_door, served  # noqa: F401
from install import CannotInstall, install

REQUIRED = os.environ.get("SQSWARM_CONFORMANCE") == "required"


@pytest.fixture(scope="session")
def suite_installed():
    """The official suite on this machine; SQSWARM_CONFORMANCE=required makes its lack a failure."""
    try:
        install()
    except CannotInstall as error:
        if REQUIRED:
            raise
        pytest.skip(f"the official conformance suite cannot be installed: {error}")


@pytest.fixture(params=["serve", "lambda"])
def url(request, suite_installed):
    """The door's address, in each of its hostings."""
    return request.getfixturevalue({"serve": "served", "lambda": "lambda_door"}[request.param])
