"""`sqswarm ui`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError


def ui(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(help="Port; 0 takes a free one. [default: 8470, else a free one]", min=0),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open a browser.")] = False,
    allow_writes: Annotated[
        bool | None,
        typer.Option(
            "--allow-writes/--read-only",
            help="Allow to submit, retry, cancel, answer. Default: only on a local emulator.",
        ),
    ] = None,
) -> None:
    """Open the console: a web page of this swarm, on this machine alone, until interrupted.

    Example: sqswarm ui --no-open
    """
    from importlib.util import find_spec

    session = session_of(context)
    if find_spec("nicegui") is None:
        message = "the console's library is not installed"
        raise UsageError(message, hint="Install it: pip install 'sqswarm[ui]'.")
    import asyncio
    import sys

    from sqswarm.backends.log import Log
    from sqswarm.infra.console.context import ConsoleContext
    from sqswarm.infra.console.serve import bind, serve

    settings = session.reachable()
    console = ConsoleContext(
        settings=settings,
        writes=settings.local if allow_writes is None else allow_writes,
        log=Log.to(sys.stderr),
    )

    def started(url: str) -> None:
        if session.json:
            print_json({"url": url})
        else:
            print_line(url)
            rights = "with" if console.writes else "without"
            session.note(f"shows {console.where}, {rights} writes; Ctrl-C stops it")

    try:
        asyncio.run(serve(console, bind(port), started=started, browse=not no_open))
    except KeyboardInterrupt:
        session.note("the console has stopped")
