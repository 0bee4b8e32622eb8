"""The guide "Test your agents": its snippets are files of a project, and that project is green."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sqswarm.infra.local.home import home

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"
HOME = home()
SNIPPET = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.DOTALL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("SQSWARM_HOME", str(HOME))
    for name, text in SNIPPET.findall(GUIDE.read_text()):
        (tmp_path / name).write_text(text)
    (tmp_path / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["shop"]\n')
    return tmp_path


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_runs_in_memory_is_green(project):
    ran = run(project, "-m", "not ministack")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "11 passed" in ran.stdout


@pytest.mark.localstack
@pytest.mark.proof
def test_what_needs_an_emulator_is_green(project):
    ran = run(project, "-m", "ministack")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "2 passed" in ran.stdout


def test_every_snippet_is_run():
    assert GUIDE.read_text().count("```python") == len(SNIPPET.findall(GUIDE.read_text()))
