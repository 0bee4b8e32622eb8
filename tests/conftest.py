"""Fixtures of every suite: one emulator for the session, apart from the user's own."""

import os
import signal
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

# A run in the background may have been started without it, and so would what tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

STAGES = {
    "e2e": "probe",
    "http_api": "probe",
    "mcp_server": "server",
    "conformance": "server",
    "judges": "server",
    "operations": "ops",
    "console": "console",
    "container": "crew",
    "faults": "faults",
    "iam": "iam",
}
"""Suites by the stage that they deploy: a deployment costs seconds."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep what uses one stage in one process, and the tests of any other file."""
    from xdist.scheduler import LoadFileScheduling

    class ByStage(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return STAGES.get(Path(file).parent.name, file)

    return ByStage(config, log)


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
