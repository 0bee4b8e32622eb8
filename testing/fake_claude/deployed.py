"""Deploy a project of Claude agents and talk to it, on the real API or in claude."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sqswarm import Swarm
from sqswarm.backends.aws.connect import client
from sqswarm.infra.deploy import Reports, deploy
from sqswarm.infra.local import ensure_running
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.json import loads
from sqswarm.testing.fake_claude.run import FakeClaude, fake_claude
from sqswarm.testing.fake_claude.script import Script

KEY_PARAMETER = "/sqswarm/anthropic-key"
"""Where agents of the examples look for the key: `api_key="ssm:/sqswarm/anthropic-key"`."""


@contextlib.contextmanager
def deployed_with_claude(
    folder: Path, *, stage: str, script: Path
) -> Iterator[tuple[Swarm, FakeClaude | None]]:
    """Deploy the project in `folder` to `stage` of the local AWS, and connect to it.

    With ANTHROPIC_API_KEY set the agents ask Claude (the key goes into the emulator's Parameter
    Store); without, they ask a script of `script`, which is given too. The local AWS is started
    where none runs. Raises UsageError where the endpoint is not this machine: nothing is spent on
    AWS by accident.
    """
    settings = ensure_running(stage=stage, progress=lambda text: print(text, file=sys.stderr))  # noqa: T201 - a first start takes half a minute
    with contextlib.ExitStack() as stack:
        claude = None
        key = os.environ.get("ANTHROPIC_API_KEY")
        if key:
            ssm = client(settings, "ssm")
            ssm.put_parameter(Name=KEY_PARAMETER, Value=key, Type="SecureString", Overwrite=True)
        else:
            document = loads(script.read_text(encoding="utf-8"))
            claude = stack.enter_context(fake_claude(Script.of(document)))
            before = os.environ.get("ANTHROPIC_BASE_URL")
            os.environ["ANTHROPIC_BASE_URL"] = claude.base_url
            stack.callback(_restore, "ANTHROPIC_BASE_URL", before)
        deploy(settings, plan(find_project(folder), stage=stage), Reports())
        yield stack.enter_context(Swarm.connect(settings)), claude


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
