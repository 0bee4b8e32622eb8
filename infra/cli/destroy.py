"""`sqswarm destroy`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.deploy import Ticker
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import NotDeployed, UsageError


def destroy(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, on AWS either.")] = False,
) -> None:
    """Delete the stage with everything in it: tasks, payloads, code.

    On AWS it says what is under way there, and asks first; a local emulator it empties at once.

    Example: sqswarm destroy --stage try-out --yes
    """
    from sqswarm.infra.deploy import Reports
    from sqswarm.infra.deployment.look_ahead import what_is_left
    from sqswarm.infra.destroy import destroy as take_down

    session = session_of(context)
    settings = session.reachable()
    if not (settings.local or yes):
        if session.json:
            message = "destroy would have to ask, and --json has nobody to ask"
            raise UsageError(message, hint="Add --yes.")
        try:
            left = what_is_left(settings)
        except NotDeployed:
            left = None
        if left:
            session.note(f"with it go {left}")
        question = f"All tasks and data of the stage {settings.stage!r} will be gone. Its name"
        if typer.prompt(question, default="", show_default=False, err=True) != settings.stage:
            message = "that is not the stage's name: nothing was deleted"
            raise UsageError(message, hint=f"Type {settings.stage}, or give --yes.")
    with Ticker(hidden=session.json) as ticker:
        done = take_down(settings, Reports(step=ticker.step, resource=ticker.resource))
    if session.json:
        print_json({"stage": settings.stage, "existed": done.existed, "objects": done.objects})
    elif done.existed:
        print_line(f"the stage {settings.stage!r} is gone ({done.objects} objects deleted)")
    else:
        print_line(f"there was no stage {settings.stage!r}")
