"""`sqswarm destroy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli.deploy import Ticker
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import SwarmError, UsageError

if TYPE_CHECKING:
    from sqswarm.infra.deployment.difference import Left
    from sqswarm.schemas.settings import Settings


def destroy(
    context: typer.Context,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, on AWS either.")] = False,
) -> None:
    """Delete the stage with everything in it: tasks, payloads, code.

    It says what goes with it: tasks under way, messages, dead letters, records. On AWS it asks
    first; a local emulator it empties at once. With --json what went is under `lost`.

    Example: sqswarm destroy --stage try-out --yes
    """
    from sqswarm.infra.deploy import Reports
    from sqswarm.infra.destroy import destroy as take_down

    session = session_of(context)
    settings = session.reachable()
    left = _left(settings)
    if left and not session.json:
        session.note(f"with it go {left}")
    if not (settings.local or yes):
        if session.json:
            goes = f": with it would go {left}" if left else ""
            message = f"destroy would have to ask, and --json has nobody to ask{goes}"
            raise UsageError(message, hint="Add --yes.")
        question = f"All tasks and data of the stage {settings.stage!r} will be gone. Its name"
        if typer.prompt(question, default="", show_default=False, err=True) != settings.stage:
            message = "that is not the stage's name: nothing was deleted"
            raise UsageError(message, hint=f"Type {settings.stage}, or give --yes.")
    with Ticker(hidden=session.json) as ticker:
        done = take_down(settings, Reports(step=ticker.step, resource=ticker.resource))
    if session.json:
        lost = None if left is None else left.to_json()
        told = {"stage": settings.stage, "existed": done.existed, "objects": done.objects}
        print_json({**told, "lost": lost})
    elif done.existed:
        print_line(f"the stage {settings.stage!r} is gone ({done.objects} objects deleted)")
    else:
        print_line(f"there was no stage {settings.stage!r}")


def _left(settings: Settings) -> Left | None:
    """Return what goes with the stage, None where nobody can tell: it is destroyed all the same."""
    from sqswarm.infra.deployment.look_ahead import what_is_left

    try:
        return what_is_left(settings)
    except SwarmError:
        return None
