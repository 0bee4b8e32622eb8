"""Fixtures of the official suite: installed once, against both hostings."""

import os

import pytest
from install import install, is_installed
from server_fixtures import lambda_server, served, server_stage  # noqa: F401

REQUIRED = os.environ.get("SQSWARM_CONFORMANCE") == "required"


@pytest.fixture(scope="session")
def suite_installed():
    """The official suite on this machine; SQSWARM_CONFORMANCE=required installs it, or fails.

    Otherwise it is used where it is: nobody who only runs the tests downloads 330 MB for them.
    """
    if REQUIRED:
        install()
    elif not is_installed():
        pytest.skip("the official suite is not here: python tests/conformance/install.py (npm)")


@pytest.fixture(params=["serve", "lambda"])
def url(request, suite_installed):
    """The server's address, in each of its hostings."""
    return request.getfixturevalue({"serve": "served", "lambda": "lambda_server"}[request.param])
