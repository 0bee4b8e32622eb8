"""Fixtures of every suite: one emulator for the session, apart from the user's own."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from sqswarm.infra.local.isolated import isolated_emulator

# Every run draws the same examples, and none is too slow.
settings.register_profile(
    "sqswarm",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("sqswarm")

TOGETHER = ({"e2e", "http_api"}, {"mcp_server", "conformance"})
"""Suites of one deployed stage. One process of `make test` has it: a deployment costs seconds."""


@pytest.hookimpl(tryfirst=True)  # xdist's own puts the groups into the tests' names
def pytest_collection_modifyitems(items):
    """Keep the tests of a suite that uses the emulator in one process, and those of a file."""
    for item in items:
        suite = Path(item.fspath).parent.name
        if item.get_closest_marker("localstack") is None:
            suite = item.nodeid.partition("::")[0]
        names = next((names for names in TOGETHER if suite in names), {suite})
        item.add_marker(pytest.mark.xdist_group("+".join(sorted(names))))


def pytest_addoption(parser):
    parser.addoption(
        "--emulator",
        choices=["localstack", "ministack"],
        default="localstack",
        help="which emulator the tests marked `localstack` run against",
    )


@pytest.fixture(scope="session")
def emulator(request):
    """A real emulator over HTTP, with its address and credentials in the environment."""
    with isolated_emulator(request.config.getoption("--emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def sqswarm_home(emulator):
    """The folder that holds the emulator's state and nothing of the user's."""
    return Path(os.environ["SQSWARM_HOME"])
