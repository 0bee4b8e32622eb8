"""`sqswarm synth`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_line
from sqswarm.infra.cli.session import modules_of, session_of


def synth(
    context: typer.Context,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
) -> None:
    """Print the stage's CloudFormation template; asks nobody and changes nothing.

    Example: sqswarm synth > template.json
    """
    session = session_of(context)
    stage = session.stage_name()
    plan = session.plan(modules_of(agents), stage)
    for note in plan.notes:
        session.note(f"note: {note}")
    print_line(json.dumps(json.loads(plan.template), indent=1, ensure_ascii=False))
