"""The command line in a project of its own, deployed to a stage of its own."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sqswarm.infra.cli.app import app


class ProjectCli:
    """`sqswarm … --stage STAGE`, with the exit code that each call expects."""

    def __init__(self, stage):
        self._stage = stage

    def __call__(self, *arguments, code=0, **given):
        result = CliRunner().invoke(app, [*arguments, "--stage", self._stage], **given)
        assert result.exit_code == code, f"{result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments, code=0):
        """Return what it says with --json."""
        return json.loads(self(*arguments, "--json", code=code).stdout)


@contextmanager
def deployed_project(folder: Path, stage: str, agents: str) -> Iterator[ProjectCli]:
    """Deploy a project whose agents are `agents` (source) from its folder; destroy it at the end.

    The working directory and `sys.path` are the project's until then.
    """
    module = f"{stage}_agents"
    (folder / "pyproject.toml").write_text(f'[tool.sqswarm]\nagents = ["{module}"]\n')
    (folder / f"{module}.py").write_text(agents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SQSWARM_STAGE", stage)
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        cli = ProjectCli(stage)
        cli("deploy")
        yield cli
        cli("destroy")
        sys.modules.pop(module, None)
