"""`sqswarm mcp`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import Session, session_of


def mcp(
    context: typer.Context,
    *,
    http: Annotated[
        bool, typer.Option("--http", help="Serve streamable HTTP on 127.0.0.1, not stdio.")
    ] = False,
    port: Annotated[int, typer.Option(help="Port of --http.", min=1, max=65_535)] = 8765,
    allow_writes: Annotated[
        bool | None,
        typer.Option(
            "--allow-writes/--read-only",
            help="Serve tools that change things. Default: only on a local emulator.",
        ),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print what assistants' settings need.")
    ] = False,
) -> None:
    """Serve this swarm and the account's Lambda functions to an AI assistant, over MCP.

    Example: sqswarm mcp --print-config
    """
    session = session_of(context)
    settings = session.settings()
    if print_config:
        _print_config(session, settings.stage, settings.endpoint_url, allow_writes)
        return
    from sqswarm.infra.admin_mcp.context import AdminContext
    from sqswarm.infra.admin_mcp.server import LOOPBACK, run_http, run_stdio

    admin = AdminContext(
        settings=settings, writes=settings.local if allow_writes is None else allow_writes
    )
    if http:
        rights = "with" if admin.writes else "without"
        session.note(f"http://{LOOPBACK}:{port}/mcp serves {admin.where}, {rights} writes")
        run_http(admin, port=port)
    else:
        run_stdio(admin)


def _print_config(
    session: Session,
    stage: str,
    endpoint: str | None,
    allow_writes: bool | None,  # noqa: FBT001 - as the option has it
) -> None:
    import json

    from sqswarm.infra.admin_mcp.assistants import snippets

    configuration = snippets(os.environ, stage=stage, endpoint=endpoint, allow_writes=allow_writes)
    if session.json:
        print_json(configuration)
        return
    for place, snippet in configuration.items():
        print_line(f"# {place}\n{json.dumps(snippet, indent=2)}\n")
