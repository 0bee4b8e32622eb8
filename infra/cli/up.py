"""`sqswarm up`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError


def up(
    context: typer.Context,
    emulator: Annotated[str, typer.Option(help="localstack, ministack or docker.")] = "localstack",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 4566,
) -> None:
    """Start the local AWS in the background; quick where it already runs.

    Example: sqswarm up --port 4570
    """
    from sqswarm.infra.local import status
    from sqswarm.infra.local import up as start
    from sqswarm.infra.local.emulator import KINDS
    from sqswarm.infra.local.trial import try_function

    session = session_of(context)
    kind = next((kind for kind in KINDS if kind == emulator), None)
    if kind is None:
        message = f"there is no emulator {emulator!r}"
        raise UsageError(message, hint=f"Choose one of {', '.join(KINDS)}.")
    ran_before = bool(status(port))
    running = start(emulator=kind, port=port, progress=session.note)
    if not ran_before and kind != "docker":  # whose functions have the archive's packages only
        session.note("trying a function")
        try_function(running)
    if session.json:
        print_json(
            {
                "emulator": running.kind,
                "endpoint": running.endpoint_url,
                "port": running.port,
                "pid": running.pid,
                "log": str(running.log_path),
            }
        )
        return
    print_line(f"{running.kind} is up at {running.endpoint_url} (log: {running.log_path})")
    if running.access_key_id:
        print_line('sqswarm finds it by itself; other tools: eval "$(sqswarm env)"')
    else:
        session.note("anybody who reaches its port may use it: see docs/local.md")
