"""`sqswarm down`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of


def down(
    context: typer.Context,
    *,
    port: Annotated[int | None, typer.Option(help="Only the one on this port.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one on this machine.")] = False,
) -> None:
    """Stop the local AWS and all it started; what was deployed on it is gone.

    Example: sqswarm down --all
    """
    from sqswarm.infra.local import down as stop

    session = session_of(context)
    stopped = stop(port=port, all=everything)
    if session.json:
        print_json({"stopped": [{"emulator": e.kind, "port": e.port} for e in stopped]})
        return
    for emulator in stopped:
        print_line(f"{emulator.kind} on port {emulator.port} is stopped")
    if not stopped:
        print_line("nothing was running")
