"""Foreign programs judge ours, each of a fixed version and in an environment of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from server_fixtures import served, server_stage  # noqa: F401

UVX = str(Path(sys.executable).with_name("uvx"))


@pytest.fixture
def judge(tmp_path):
    """Run a program of PyPI that is not installed here, and return its output."""

    def run(*command, env=None, timeout_s=400):
        done = subprocess.run(
            [UVX, "--quiet", "--python", sys.executable, *command],
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run
