"""The lowest versions that pyproject.toml allows: those are what installs, and they work."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from sqswarm.infra.local.environment import find_uv

pytestmark = pytest.mark.proof  # it installs, and runs other tests: some minutes

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BOUNDS = [
    Requirement(one)
    for one in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["local"])
]
QUICK = (
    *("unit", "auth/test_tokens.py", "claude/test_conversation.py", "claude/test_mcp.py"),
    *("cli/test_verbs_on_emulator.py", "container/test_work.py", "durable/test_steps.py"),
    *("http_api/test_openapi.py", "infra/test_template.py", "mcp_client/test_tasks_client.py"),
    "mcp_server/test_mcp_deployment.py",
)


@pytest.fixture(scope="module")
def lowest(tmp_path_factory):
    """An environment of the lowest versions; what only the tests need is new."""
    folder = tmp_path_factory.mktemp("lowest") / "venv"
    uv = find_uv()
    assert uv, "uv comes with the extra `local`"
    python = folder / "bin" / "python"
    local = f"{ROOT}[local]"
    tools = ("cfn-lint", "hypothesis", "pytest", "pytest-asyncio", "pytest-timeout")
    install = (uv, "pip", "install", "--quiet", "--python", python)
    for command in (
        (uv, "venv", "--quiet", "--python", sys.executable, folder),
        (*install, "--resolution", "lowest-direct", "--editable", local),
        (*install, "--editable", local, *tools),
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return python


def test_each_bound_is_the_lowest_version_that_can_be_installed(lowest):
    listed = subprocess.run(
        [find_uv(), "pip", "list", "--python", lowest, "--format", "json"],
        capture_output=True,
        check=True,
    )
    installed = {one["name"]: Version(one["version"]) for one in json.loads(listed.stdout)}
    for bound in BOUNDS:
        [specifier] = bound.specifier
        assert specifier.operator == ">="
        found = installed[canonicalize_name(bound.name)]
        assert found == Version(specifier.version), f"{bound.name}: {found} is what installs"


@pytest.mark.timeout(1200)
def test_the_quick_tests_pass_on_them(lowest, tmp_path):
    done = subprocess.run(
        [
            *(lowest.parent / "pytest", "-q", "-p", "no:cacheprovider", "--emulator=ministack"),
            *("-m", "not proof", *(str(ROOT / "tests" / name) for name in QUICK)),
        ],
        cwd=ROOT,
        env={**os.environ, "SQSWARM_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
