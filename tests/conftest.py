"""Fixtures of every suite: one emulator for the session, apart from the user's own."""

import os
from pathlib import Path

import pytest

from sqswarm.infra.local.isolated import isolated_emulator


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
