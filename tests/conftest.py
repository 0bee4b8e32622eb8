"""Fixtures of every suite: one emulator for the session, on a port and in a home of its own."""

import contextlib
import os
import socket
from pathlib import Path

import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--emulator",
        choices=["localstack", "ministack"],
        default="localstack",
        help="which emulator the tests marked `localstack` run against",
    )


def free_port() -> int:
    """Return a port that nothing listens on."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def sqswarm_home(tmp_path_factory):
    """A home for emulators that shares nothing with the user's but the installed environments."""
    users = Path(os.environ.get("SQSWARM_HOME") or Path.home() / ".sqswarm")
    (users / "venvs").mkdir(parents=True, exist_ok=True)
    home = tmp_path_factory.mktemp("home")
    (home / "venvs").symlink_to(users / "venvs", target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SQSWARM_HOME", str(home))
        yield home


@pytest.fixture(scope="session")
def emulator(request, sqswarm_home):
    """A real emulator over HTTP, with credentials for it in the environment."""
    from infra.local import down, up

    port = free_port()
    running = up(emulator=request.config.getoption("--emulator"), port=port)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "SQSWARM_STAGE", "SQSWARM_PRINCIPAL"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", running.endpoint_url)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield running
    down(port=port)
