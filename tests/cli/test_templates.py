"""Each template, generated and run as whoever made it would."""

import os
import subprocess
import sys
import tomllib

import pytest

from sqswarm.infra.scaffold.create import TEMPLATES, create_project


@pytest.fixture(params=TEMPLATES)
def project(request, tmp_path):
    folder = tmp_path / "My Project"
    create_project(folder, request.param)
    return folder


def run(project, *command, **variables):
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_called_as_its_folder_is(project):
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"] == (
        "my-project"
    )
    assert (project / "README.md").read_text().startswith("# my-project\n")


def test_it_is_what_linters_and_formatters_like(project):
    chosen = ("--isolated", "--line-length", "100", "--target-version", "py311")
    run(project, "ruff", "check", *chosen, "--select", "E,F,I,UP,B,SIM,PT", ".")
    run(project, "ruff", "format", "--check", *chosen[:3], ".")


def test_its_files_are_those_its_readme_names(project):
    named = {
        line.split("`")[1]
        for line in (project / "README.md").read_text().splitlines()
        if line.startswith("| `")
    }
    code = {p.relative_to(project).as_posix() for p in project.rglob("*.py")}
    assert named - {"pyproject.toml", "conversation.txt"} == code - {
        "agents/__init__.py",
    }


def test_its_plain_and_memory_tests_pass_without_an_aws(project):
    said = run(
        project,
        *("pytest", "-q", "tests/test_unit.py", "tests/test_memory.py"),
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
    )
    assert " passed" in said
    assert "skipped" not in said


@pytest.mark.localstack
@pytest.mark.proof
def test_its_test_on_the_local_aws_passes(emulator, project):
    said = run(project, "pytest", "-q", "tests/test_local_aws.py")
    assert "1 passed" in said
