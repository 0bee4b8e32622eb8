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
    part: Annotated[
        int,
        typer.Option(help="Which stack's, where the stage needs several for its agents.", min=1),
    ] = 1,
) -> None:
    """Print the stage's CloudFormation template; asks nobody and changes nothing.

    Example: sqswarm synth > template.json
    """
    session = session_of(context)
    stage = session.stage_name()
    plan = session.plan(modules_of(agents), stage)
    for note in plan.notes:
        session.note(f"note: {note}")
    templates = (plan.template, *plan.parts)
    if part > len(templates):
        message = f"stage {stage} is {len(templates)} stack" + ("s" if len(templates) > 1 else "")
        raise typer.BadParameter(message, param_hint="--part")
    if len(templates) > 1:
        session.note(f"note: stack {part} of {len(templates)}, of a stage that is made anew")
    print_line(json.dumps(json.loads(templates[part - 1]), indent=1, ensure_ascii=False))
